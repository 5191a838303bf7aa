package policy

import (
	"fmt"
	"maps"
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
	v := verification{
		asked:   newRepositorySet(g.Repositories, g.RepositoryIDs),
		allowed: newRepositorySet(g.AllowedNames, g.AllowedIDs),
		denied:  newRepositorySet(g.DeniedNames, g.DeniedIDs),
	}
	for _, repository := range answer.Repositories {
		if err := v.verify(repository); err != nil {
			return err
		}
	}
	return v.verifyProven(g, answer.Repositories)
}

// verification is what each repository of an answer is held to.
type verification struct {
	asked, allowed, denied repositorySet
}

func (v verification) verify(r Repository) error {
	byName := v.asked.hasName(r.Name)
	if !byName && !v.asked.ids[r.ID] {
		return &Excess{fmt.Sprintf("repository %s (id %d)", quote(r.Name), r.ID)}
	}
	// A refusal repeats what was asked: that an id has a name is not told to a job
	// that may not have the repository.
	seen := strconv.FormatInt(r.ID, 10)
	if byName {
		seen = quote(r.Name)
	}
	switch {
	case !v.allowsName(r.Name) && !v.allowsID(r.ID):
		return &Refusal{Check{Rule: "request repositories", Wanted: "within " + v.allowed.String(), Seen: seen, Remedy: remedyNarrow}}
	case v.denied.hasName(r.Name) || v.denied.ids[r.ID]:
		return &Refusal{Check{Rule: ruleLimitRepositories, Wanted: wantedNotDenied, Seen: seen, Remedy: remedyLimits}}
	}
	return nil
}

func (v verification) allowsName(name string) bool {
	return v.allowed.isEmpty() || v.allowed.hasName(name)
}

func (v verification) allowsID(id int64) bool { return v.allowed.isEmpty() || v.allowed.ids[id] }

// verifyProven refuses where the answer does not name a repository of which only
// the answer could show that it is allowed.
func (v verification) verifyProven(g Grant, answer []Repository) error {
	answered := setOf(answer)
	var open []string
	for _, name := range g.Repositories {
		evident := v.allowsName(name) && len(g.DeniedIDs) == 0
		if !evident && !answered.hasName(name) {
			open = append(open, quote(name))
		}
	}
	for _, id := range g.RepositoryIDs {
		evident := v.allowsID(id) && len(g.DeniedNames) == 0
		if !evident && !answered.ids[id] {
			open = append(open, strconv.FormatInt(id, 10))
		}
	}
	if len(open) == 0 {
		return nil
	}
	return &Refusal{Check{Rule: "request repositories", Wanted: "an answer of GitHub's with the name and id of " + strings.Join(open, ", "),
		Seen: "none", Remedy: "ask for repositories as the role names them"}}
}

// repositorySet are repositories by name, without regard to case as at GitHub,
// and by id: 500 are compared with 500.
type repositorySet struct {
	names map[string]bool
	ids   map[int64]bool
}

func newRepositorySet(names []string, ids []int64) repositorySet {
	set := repositorySet{make(map[string]bool, len(names)), make(map[int64]bool, len(ids))}
	for _, name := range names {
		set.names[strings.ToLower(name)] = true
	}
	for _, id := range ids {
		set.ids[id] = true
	}
	return set
}

func setOf(repositories []Repository) repositorySet {
	set := newRepositorySet(nil, nil)
	for _, r := range repositories {
		set.names[strings.ToLower(r.Name)] = true
		set.ids[r.ID] = true
	}
	return set
}

func (s repositorySet) isEmpty() bool { return len(s.names)+len(s.ids) == 0 }

func (s repositorySet) hasName(name string) bool { return s.names[strings.ToLower(name)] }

func (s repositorySet) String() string {
	return scope{names: slices.Sorted(maps.Keys(s.names)), ids: slices.Sorted(maps.Keys(s.ids))}.String()
}
