package githubtest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// App is a GitHub App.
type App struct {
	ID       int64
	ClientID string
	Slug     string
	Owner    string

	permissions map[string]string
	server      *Server
	keys        []*rsa.PrivateKey // the newest last; guarded by server.mu
}

// appOwner owns every App.
const appOwner = "app-owner"

// AddApp registers an App with a private key.
func (s *Server) AddApp(slug string, permissions map[string]string) *App {
	key := s.nextKey()
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.world.nextID()
	app := &App{
		ID:          id,
		ClientID:    "Iv23li" + strings.Repeat("0", 14-len(strconv.FormatInt(id, 10))) + strconv.FormatInt(id, 10),
		Slug:        slug,
		Owner:       appOwner,
		permissions: withMetadata(permissions),
		server:      s,
		keys:        []*rsa.PrivateKey{key},
	}
	s.world.apps[id] = app
	return app
}

// withMetadata returns the permissions with metadata=read, which GitHub adds to
// every set.
func withMetadata(permissions map[string]string) map[string]string {
	with := map[string]string{"metadata": "read"}
	maps.Copy(with, permissions)
	return with
}

// PrivateKeyPEM is the App's newest private key in PKCS#1, as GitHub hands it
// out.
func (a *App) PrivateKeyPEM() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(a.newestKey())}))
}

// RotateKey adds a private key; those before stay valid.
func (a *App) RotateKey() {
	key := a.server.nextKey()
	a.server.mu.Lock()
	defer a.server.mu.Unlock()
	a.keys = append(a.keys, key)
}

// RemoveKey deletes the App's oldest private key.
func (a *App) RemoveKey() {
	a.server.mu.Lock()
	defer a.server.mu.Unlock()
	a.keys = a.keys[1:]
}

// JWT is a JWT of the App, good for nine minutes.
func (a *App) JWT() string {
	now := a.server.now()
	return a.signJWT(jwt.Claims{
		Issuer:   a.ClientID,
		IssuedAt: jwt.NewNumericDate(now.Add(-time.Minute)),
		Expiry:   jwt.NewNumericDate(now.Add(9 * time.Minute)),
	})
}

func (a *App) signJWT(claims any) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: a.newestKey()}, nil)
	if err != nil {
		panic(err) // the key is one of ours
	}
	signed, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		panic("githubtest: sign a JWT: " + err.Error())
	}
	return signed
}

func (a *App) newestKey() *rsa.PrivateKey {
	keys := a.validKeys()
	return keys[len(keys)-1]
}

func (a *App) validKeys() []*rsa.PrivateKey {
	a.server.mu.Lock()
	defer a.server.mu.Unlock()
	return slices.Clone(a.keys)
}

// nextKey returns a key that no other App of this server has. Keys are made once
// in a process and shared by its servers: making one takes a while.
func (s *Server) nextKey() *rsa.PrivateKey {
	s.mu.Lock()
	n := s.world.keysUsed
	s.world.keysUsed++
	s.mu.Unlock()
	return keyNumber(n)
}

var madeKeys sync.Map // int -> func() *rsa.PrivateKey

func keyNumber(n int) *rsa.PrivateKey {
	make, _ := madeKeys.LoadOrStore(n, sync.OnceValue(func() *rsa.PrivateKey {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err) // crypto/rand never fails
		}
		return key
	}))
	return make.(func() *rsa.PrivateKey)()
}

// getApp is GET /app.
func (s *Server) getApp(_ *request, app *App) answer {
	owner := &account{ID: 1, Login: app.Owner, Type: organization}
	s.mu.Lock()
	defer s.mu.Unlock()
	return success(object{
		"id":                  app.ID,
		"slug":                app.Slug,
		"client_id":           app.ClientID,
		"node_id":             nodeID("A", app.ID),
		"owner":               s.accountJSON(owner),
		"name":                app.Slug,
		"description":         nil,
		"external_url":        s.URL,
		"html_url":            s.URL + "/apps/" + app.Slug,
		"created_at":          longAgo,
		"updated_at":          longAgo,
		"permissions":         app.permissions,
		"events":              []string{},
		"installations_count": len(s.world.installationsOf(app)),
	})
}
