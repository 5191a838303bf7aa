package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"vault-plugin-secrets-github/internal/githubtest"
)

// control is the API to look at the fake GitHub and to make it fail.
type control struct {
	server *githubtest.Server

	mu      sync.Mutex
	removes []func()
}

func serveControl(server *githubtest.Server) {
	c := &control{server: server}
	server.Handle("GET /_fake/tokens", http.HandlerFunc(c.listTokens))
	server.Handle("GET /_fake/audit-log", http.HandlerFunc(server.ServeAuditLog))
	server.Handle("POST /_fake/faults", http.HandlerFunc(c.addFault))
	server.Handle("DELETE /_fake/faults", http.HandlerFunc(c.removeFaults))
}

// liveToken is a token without its value: the demo's output may be shown.
type liveToken struct {
	HashedToken    string            `json:"hashed_token"`
	InstallationID int64             `json:"installation_id"`
	Repositories   []string          `json:"repositories"`
	Permissions    map[string]string `json:"permissions"`
	ExpiresAt      time.Time         `json:"expires_at"`
}

func (c *control) listTokens(w http.ResponseWriter, _ *http.Request) {
	live := []liveToken{}
	for _, token := range c.server.LiveTokens() {
		hash := sha256.Sum256([]byte(token.Value))
		live = append(live, liveToken{
			HashedToken:    base64.StdEncoding.EncodeToString(hash[:]),
			InstallationID: token.InstallationID,
			Repositories:   c.server.RepositoriesOf(token),
			Permissions:    token.Permissions,
			ExpiresAt:      token.ExpiresAt,
		})
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{ // an error means that the client has left
		"count": len(live), "minted": c.server.Minted(), "tokens": live,
	})
}

// fault is a githubtest.Fault as JSON; durations are in Go's form, e.g. "1.5s".
type fault struct {
	Match    string            `json:"match"`
	Times    int               `json:"times"`
	Latency  string            `json:"latency"`
	Reset    bool              `json:"reset"`
	Status   int               `json:"status"`
	Header   map[string]string `json:"header"`
	Body     string            `json:"body"`
	Act      bool              `json:"act"`
	LateBy   string            `json:"late_by"`
	Cut      bool              `json:"cut"`
	Truncate bool              `json:"truncate"`
	PadTo    int               `json:"pad_to"`
}

func (f fault) parse() (githubtest.Fault, error) {
	parsed := githubtest.Fault{
		Match: f.Match, Times: f.Times,
		Reset: f.Reset, Status: f.Status, Header: http.Header{}, Body: f.Body, Act: f.Act,
		Cut: f.Cut, Truncate: f.Truncate, PadTo: f.PadTo,
	}
	for name, value := range f.Header {
		parsed.Header.Set(name, value)
	}
	var err error
	if parsed.Latency, err = duration(f.Latency); err != nil {
		return parsed, err
	}
	parsed.LateBy, err = duration(f.LateBy)
	return parsed, err
}

func duration(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	return time.ParseDuration(text)
}

func (c *control) addFault(w http.ResponseWriter, r *http.Request) {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20))
	decoder.DisallowUnknownFields()
	var wanted fault
	if err := decoder.Decode(&wanted); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	parsed, err := wanted.parse()
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.removes = append(c.removes, c.server.Inject(parsed))
	w.WriteHeader(http.StatusNoContent)
}

func (c *control) removeFaults(w http.ResponseWriter, _ *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, remove := range c.removes {
		remove()
	}
	c.removes = nil
	w.WriteHeader(http.StatusNoContent)
}
