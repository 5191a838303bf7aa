package githubtest

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	shortToken = 40
	longToken  = 520

	tokenLifetime = time.Hour
	// maxTokenRepositories is how many repositories a request may name.
	maxTokenRepositories = 500
)

// mintBody is the body of a request for a token. An empty list or map is read
// like a missing one, as everything: what a client that drops a restriction by
// accident would get from GitHub.
type mintBody struct {
	Repositories  []string          `json:"repositories"`
	RepositoryIDs []int64           `json:"repository_ids"`
	Permissions   map[string]string `json:"permissions"`
}

// mintToken is POST /app/installations/{installation_id}/access_tokens.
func (s *Server) mintToken(r *request, app *App) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	installation := s.world.installations[r.pathID("installation_id")]
	switch {
	case installation == nil || installation.app != app:
		return notFound()
	case installation.suspendedAt != nil:
		return suspended()
	}
	want, refusal := decodeMintBody(r.body)
	if refusal != nil {
		return *refusal
	}
	repositories, found := s.world.choose(installation, want)
	if !found {
		return unprocessable("There is at least one repository that does not exist or is not accessible to the parent installation.")
	}
	permissions, granted := narrow(installation.permissions, want.Permissions)
	if !granted {
		return unprocessable("The permissions requested are not granted to this installation.")
	}
	token := s.newToken(installation, permissions, repositories)
	return tokenAnswer(installation, token, repositories)
}

func decodeMintBody(body []byte) (want mintBody, refusal *answer) {
	if len(bytes.TrimSpace(body)) == 0 {
		return want, nil
	}
	if !json.Valid(body) {
		refused := failure(http.StatusBadRequest, "Problems parsing JSON")
		return want, &refused
	}
	if err := json.Unmarshal(body, &want); err != nil {
		refused := unprocessable("Invalid request.\n\n" + err.Error())
		return want, &refused
	}
	if len(want.Repositories)+len(want.RepositoryIDs) > maxTokenRepositories {
		refused := unprocessable(fmt.Sprintf("Invalid request.\n\nNo more than %d repositories are allowed.", maxTokenRepositories))
		return want, &refused
	}
	return want, nil
}

// choose returns the repositories of the installation that the body names, nil
// if it names none. It needs a held lock.
func (w *world) choose(installation *Installation, want mintBody) (chosen []*Repository, found bool) {
	byName, byID := map[string]*Repository{}, map[int64]*Repository{}
	for _, repository := range w.repositoriesIn(installation) {
		byName[strings.ToLower(repository.Name)] = repository
		byID[repository.ID] = repository
	}
	for _, name := range want.Repositories {
		chosen = append(chosen, byName[strings.ToLower(name)])
	}
	for _, id := range want.RepositoryIDs {
		chosen = append(chosen, byID[id])
	}
	if slices.Contains(chosen, nil) {
		return nil, false
	}
	slices.SortFunc(chosen, func(a, b *Repository) int { return int(a.ID - b.ID) })
	return slices.Compact(chosen), true
}

// narrow returns the permissions that a token gets: those wanted, or all if
// none are named.
func narrow(held, wanted map[string]string) (permissions map[string]string, granted bool) {
	if len(wanted) == 0 {
		return maps.Clone(held), true
	}
	for name, level := range wanted {
		if !permissionSatisfies(held[name], level) {
			return nil, false
		}
	}
	return withMetadata(wanted), true
}

// newToken needs s.mu.
func (s *Server) newToken(installation *Installation, permissions map[string]string, repositories []*Repository) *Token {
	now := s.now()
	token := &Token{
		Value:          s.tokenValue(installation.AppID),
		AppID:          installation.AppID,
		InstallationID: installation.ID,
		Permissions:    permissions,
		CreatedAt:      now,
		ExpiresAt:      now.Add(tokenLifetime),
		number:         len(s.world.tokens),
	}
	for _, repository := range repositories {
		token.RepositoryIDs = append(token.RepositoryIDs, repository.ID)
	}
	s.world.tokens[token.Value] = token
	return token
}

// tokenValue is random text in the form of GitHub's tokens.
func (s *Server) tokenValue(appID int64) string {
	prefix, rest := "ghs_", s.options.tokenLength-len("ghs_")
	if s.options.tokenLength > shortToken {
		prefix = fmt.Sprintf("ghs_%d_eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.", appID)
		rest = s.options.tokenLength - len(prefix)
	}
	random := make([]byte, rest)
	rand.Read(random) // never fails, see crypto/rand
	text := []byte(base64.RawURLEncoding.EncodeToString(random)[:rest])
	if s.options.tokenLength > shortToken {
		const signature = 86 // of ES256
		text[rest-signature-1] = '.'
		return prefix + string(text)
	}
	return prefix + strings.NewReplacer("-", "A", "_", "B").Replace(string(text))
}

// tokenJSON is GitHub's answer to a request for a token, in its order.
type tokenJSON struct {
	Token               string            `json:"token"`
	ExpiresAt           time.Time         `json:"expires_at"`
	Permissions         map[string]string `json:"permissions"`
	RepositorySelection string            `json:"repository_selection"`
	Repositories        []json.RawMessage `json:"repositories,omitempty"`
}

func tokenAnswer(installation *Installation, token *Token, repositories []*Repository) answer {
	body := tokenJSON{
		Token:               token.Value,
		ExpiresAt:           token.ExpiresAt,
		Permissions:         token.Permissions,
		RepositorySelection: installation.selection,
	}
	for _, repository := range repositories {
		body.RepositorySelection = "selected"
		body.Repositories = append(body.Repositories, repository.json())
	}
	return created(body)
}
