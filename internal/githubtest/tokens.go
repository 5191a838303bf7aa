package githubtest

import (
	"cmp"
	"slices"
	"time"
)

// Token is an installation token.
type Token struct {
	Value          string
	AppID          int64
	InstallationID int64
	Permissions    map[string]string
	// RepositoryIDs are nil for every repository of the installation.
	RepositoryIDs []int64
	CreatedAt     time.Time
	ExpiresAt     time.Time

	number  int // in the order of minting
	revoked bool
}

// asInstallation lets an endpoint be used with an installation token only.
func (s *Server) asInstallation(act func(*request, Token) answer) handler {
	return func(r *request) answer {
		token, refusal := s.authenticateToken(r.bearer())
		if refusal != nil {
			return *refusal
		}
		a := act(r, token)
		s.auditRequest(r, token, a.status)
		return a
	}
}

// authenticateToken returns the live token, or GitHub's refusal.
func (s *Server) authenticateToken(value string) (Token, *answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	token := s.world.tokens[value]
	if token == nil || !s.live(token) {
		refusal := badCredentials()
		return Token{}, &refusal
	}
	if s.world.installations[token.InstallationID].suspendedAt != nil {
		refusal := suspended()
		return Token{}, &refusal
	}
	return *token, nil
}

// live needs s.mu.
func (s *Server) live(token *Token) bool {
	return !token.revoked && s.options.now().Before(token.ExpiresAt) && s.world.installations[token.InstallationID] != nil
}

// deleteToken is DELETE /installation/token.
func (s *Server) deleteToken(_ *request, token Token) answer {
	s.RevokeToken(token.Value)
	return noContent()
}

// LiveTokens returns the tokens that GitHub would accept: neither revoked nor
// expired, of an installation that is still there; the oldest first.
func (s *Server) LiveTokens() []Token {
	s.mu.Lock()
	defer s.mu.Unlock()
	var live []Token
	for _, token := range s.world.tokens {
		if s.live(token) {
			live = append(live, *token)
		}
	}
	slices.SortFunc(live, func(a, b Token) int { return cmp.Compare(a.number, b.number) })
	return live
}

// Token returns a token that was minted, live or not.
func (s *Server) Token(value string) (token Token, minted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := s.world.tokens[value]; found != nil {
		return *found, true
	}
	return Token{}, false
}

// RepositoriesOf returns the full names of the repositories that a token is good
// for; none if it is dead.
func (s *Server) RepositoriesOf(token Token) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := []string{}
	if found := s.world.tokens[token.Value]; found != nil && s.live(found) {
		for _, repository := range s.world.repositoriesFor(*found) {
			names = append(names, repository.FullName())
		}
	}
	return names
}

// RevokeToken revokes a token, as GitHub's own secret scanning might.
func (s *Server) RevokeToken(value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := s.world.tokens[value]; found != nil {
		revoked := *found
		revoked.revoked = true
		s.world.tokens[value] = &revoked
	}
}

// Minted returns how many tokens were ever made.
func (s *Server) Minted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.world.tokens)
}
