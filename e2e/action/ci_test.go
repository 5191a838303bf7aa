package action

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"vault-plugin-secrets-github/internal/oidctest"
)

// requestToken is the ACTIONS_ID_TOKEN_REQUEST_TOKEN of every job.
const requestToken = "request-token-of-this-job" //#nosec G101 -- of a fake

// ci is GitHub Actions as the issuer of ID tokens, for a push to main of acme/api
// unless the claims say otherwise.
type ci struct {
	issuer *oidctest.Issuer
	url    string // ACTIONS_ID_TOKEN_REQUEST_URL

	mu       sync.Mutex
	claims   map[string]any
	failures []int    // statuses to answer first
	issued   []string // ID tokens
}

func newCI(t *testing.T) *ci {
	c := &ci{issuer: oidctest.New(t), claims: map[string]any{}}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	c.url = server.URL + "/idtoken?api-version=2.0"
	return c
}

// fail answers the next requests with these statuses.
func (c *ci) fail(statuses ...int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failures = statuses
}

// set overrides claims of the job.
func (c *ci) set(claims map[string]any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.Copy(c.claims, claims)
}

// idTokens are those that jobs got.
func (c *ci) idTokens() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.issued)
}

func (c *ci) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.failures) > 0 {
		w.WriteHeader(c.failures[0])
		c.failures = c.failures[1:]
		return
	}
	if r.Header.Get("Authorization") != "Bearer "+requestToken || r.URL.Query().Get("api-version") != "2.0" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	claims := oidctest.GitHubActionsClaims(c.claims)
	claims["aud"] = r.URL.Query().Get("audience")
	idToken := c.issuer.Sign(claims)
	c.issued = append(c.issued, idToken)
	_ = json.NewEncoder(w).Encode(map[string]string{"value": idToken}) // an error means that the job has left
}
