package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Grant is what a token may be good for, and what must hold of GitHub's answer.
// It may share memory with the role and the request: change nothing in it.
type Grant struct {
	// Organization or InstallationID is the role's; the other one is empty.
	Organization   string
	InstallationID int64

	// Repositories (bare names), RepositoryIDs and Permissions are what to ask
	// GitHub for.
	Repositories    []string
	RepositoryIDs   []int64
	AllRepositories bool
	Permissions     map[string]string

	// TTL is how long the lease lasts, MaxTTL how long it can be kept alive.
	TTL, MaxTTL time.Duration

	// AllowedNames and AllowedIDs are the role's repositories; both are empty
	// where it holds all. A job may ask by name for what the role holds by id, or
	// the reverse: each repository that GitHub grants must be one of these.
	AllowedNames []string
	AllowedIDs   []int64
	// DeniedNames and DeniedIDs are repositories that the mount's limits deny,
	// whatever the name or id that they were asked for by.
	DeniedNames []string
	DeniedIDs   []int64
}

// Answer is what GitHub says that a token is good for.
type Answer struct {
	// Repositories may be missing where GitHub says nothing of them.
	Repositories    []Repository
	AllRepositories bool
	Permissions     map[string]string
}

// Repository is one that a token is good for.
type Repository struct {
	ID   int64
	Name string
}

// Excess is the error for a token that is good for more than was asked.
type Excess struct{ What string }

func (e *Excess) Error() string { return "GitHub granted more than was asked: " + e.What }

// Verify compares GitHub's answer with the grant. A token that fails must be
// revoked, and reach nobody. The error is an [Excess] if GitHub granted what was
// not asked for, and a [Refusal] if the answer shows, or leaves open, that a
// repository is not one of the role's or is denied.
func (g Grant) Verify(answer Answer) error {
	if beyond := excess(answer.Permissions, g.Permissions); len(beyond) > 0 {
		return &Excess{"permissions " + pairs(beyond)}
	}
	if g.AllRepositories {
		return nil
	}
	if answer.AllRepositories {
		return &Excess{"all repositories"}
	}
	for _, repository := range answer.Repositories {
		if err := g.verify(repository); err != nil {
			return err
		}
	}
	return g.verifyProven(answer.Repositories)
}

func (g Grant) verify(r Repository) error {
	byName := containsName(g.Repositories, r.Name)
	if !byName && !slices.Contains(g.RepositoryIDs, r.ID) {
		return &Excess{fmt.Sprintf("repository %s (id %d)", quote(r.Name), r.ID)}
	}
	// A refusal repeats what was asked: that an id has a name is not told to a job
	// that may not have the repository.
	seen := strconv.FormatInt(r.ID, 10)
	if byName {
		seen = quote(r.Name)
	}
	switch {
	case !g.allowsName(r.Name) && !g.allowsID(r.ID):
		allowed := scope{names: g.AllowedNames, ids: g.AllowedIDs}
		return &Refusal{Check{Rule: "request repositories", Wanted: "within " + allowed.String(), Seen: seen, Remedy: remedyNarrow}}
	case containsName(g.DeniedNames, r.Name) || slices.Contains(g.DeniedIDs, r.ID):
		return &Refusal{Check{Rule: ruleLimitRepositories, Wanted: wantedNotDenied, Seen: seen, Remedy: remedyLimits}}
	}
	return nil
}

func (g Grant) allowsName(name string) bool {
	return g.allowsAll() || containsName(g.AllowedNames, name)
}

func (g Grant) allowsID(id int64) bool {
	return g.allowsAll() || slices.Contains(g.AllowedIDs, id)
}

func (g Grant) allowsAll() bool { return len(g.AllowedNames)+len(g.AllowedIDs) == 0 }

// verifyProven refuses where the answer does not name a repository of which only
// the answer could show that it is allowed.
func (g Grant) verifyProven(answered []Repository) error {
	var open []string
	for _, name := range g.Repositories {
		evident := g.allowsName(name) && len(g.DeniedIDs) == 0
		if !evident && !slices.ContainsFunc(answered, func(r Repository) bool { return strings.EqualFold(r.Name, name) }) {
			open = append(open, quote(name))
		}
	}
	for _, id := range g.RepositoryIDs {
		evident := g.allowsID(id) && len(g.DeniedNames) == 0
		if !evident && !slices.ContainsFunc(answered, func(r Repository) bool { return r.ID == id }) {
			open = append(open, strconv.FormatInt(id, 10))
		}
	}
	if len(open) == 0 {
		return nil
	}
	return &Refusal{Check{Rule: "request repositories", Wanted: "an answer of GitHub's with the name and id of " + strings.Join(open, ", "),
		Seen: "none", Remedy: "ask for repositories as the role names them"}}
}
