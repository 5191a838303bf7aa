package oidctest

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

const (
	tokenPath   = "/token"
	actionsPath = "/actions/token"
)

// TokenURL signs whatever claims it is sent: POST a JSON object of them, and the
// answer is {"value": "the ID token"}.
func (i *Issuer) TokenURL() string { return i.URL + tokenPath }

// ActionsTokenURL imitates GitHub Actions' ACTIONS_ID_TOKEN_REQUEST_URL: GET it
// with &audience=… and any bearer token, and the answer is the ID token of the
// job of [Issuer.SetClaims] as {"value": "the ID token"}.
func (i *Issuer) ActionsTokenURL() string { return i.URL + actionsPath + "?api-version=2.0" }

func (i *Issuer) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", i.serveDiscovery)
	mux.HandleFunc("GET /.well-known/jwks", i.serveKeys)
	mux.HandleFunc("POST "+tokenPath, i.serveToken)
	mux.HandleFunc("GET "+actionsPath, i.serveActionsToken)
	return mux
}

func (i *Issuer) serveDiscovery(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, map[string]any{
		"issuer":                                i.URL,
		"jwks_uri":                              i.URL + "/.well-known/jwks",
		"subject_types_supported":               []string{"public", "pairwise"},
		"response_types_supported":              []string{"id_token"},
		"id_token_signing_alg_values_supported": []string{string(jose.RS256)},
		"scopes_supported":                      []string{"openid"},
	})
}

func (i *Issuer) serveKeys(w http.ResponseWriter, _ *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	var published jose.JSONWebKeySet
	for _, key := range i.keys {
		published.Keys = append(published.Keys, key.Public())
	}
	writeJSON(w, published)
}

func (i *Issuer) serveToken(w http.ResponseWriter, r *http.Request) {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20))
	decoder.UseNumber() // ids keep their digits
	var claims map[string]any
	if err := decoder.Decode(&claims); err != nil {
		http.Error(w, "the body must be a JSON object of claims: "+err.Error(), http.StatusBadRequest)
		return
	}
	i.writeToken(w, claims)
}

func (i *Issuer) serveActionsToken(w http.ResponseWriter, r *http.Request) {
	if scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " "); !strings.EqualFold(scheme, "bearer") || token == "" {
		http.Error(w, "no bearer token", http.StatusUnauthorized)
		return
	}
	i.mu.Lock()
	claims := maps.Clone(i.claims)
	i.mu.Unlock()
	if audience := r.URL.Query().Get("audience"); audience != "" {
		claims["aud"] = audience
	}
	i.writeToken(w, claims)
}

func (i *Issuer) writeToken(w http.ResponseWriter, claims map[string]any) {
	writeJSON(w, map[string]string{"value": i.Sign(claims)})
}

func writeJSON(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body) // an error means that the client has left
}
