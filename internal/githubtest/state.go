package githubtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// world is what the fake GitHub knows. Its records are never changed, but
// replaced, so that whoever holds one may read it without the server's lock.
type world struct {
	lastID        int64
	apps          map[int64]*App
	accounts      map[string]*account // by lower-case login
	repositories  map[int64]*Repository
	names         map[string]int64 // lower-case owner/name, also former ones -> repository
	installations map[int64]*Installation
	tokens        map[string]*Token
	keysUsed      int
}

func newWorld() world {
	return world{
		lastID:        1000,
		apps:          map[int64]*App{},
		accounts:      map[string]*account{},
		repositories:  map[int64]*Repository{},
		names:         map[string]int64{},
		installations: map[int64]*Installation{},
		tokens:        map[string]*Token{},
	}
}

// nextID is never used again, as GitHub's.
func (w *world) nextID() int64 {
	w.lastID++
	return w.lastID
}

// account is an organization or a user.
type account struct {
	ID    int64
	Login string
	Type  string
}

const (
	organization = "Organization"
	user         = "User"
)

// AddOrganization adds an organization.
func (s *Server) AddOrganization(login string) { s.addAccount(login, organization) }

// AddUser adds a user.
func (s *Server) AddUser(login string) { s.addAccount(login, user) }

func (s *Server) addAccount(login, kind string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := strings.ToLower(login)
	if s.world.accounts[key] != nil {
		panic("githubtest: there is an account " + login + " already")
	}
	s.world.accounts[key] = &account{ID: s.world.nextID(), Login: login, Type: kind}
}

// account panics for one that was not added: it is for what tests build. It
// needs a held lock.
func (w *world) account(login string) *account {
	found := w.accounts[strings.ToLower(login)]
	if found == nil {
		panic("githubtest: there is no account " + login + "; add the organization or user first")
	}
	return found
}

// Repository is a repository as it was when it was added or renamed.
type Repository struct {
	ID    int64
	Owner string
	Name  string

	account *account
	json    func() json.RawMessage
	git     *gitRepository
	issues  *issueList
}

// FullName is OWNER/NAME.
func (r *Repository) FullName() string { return r.Owner + "/" + r.Name }

func (r *Repository) key() string { return repositoryKey(r.Owner, r.Name) }

func repositoryKey(owner, name string) string { return strings.ToLower(owner + "/" + name) }

// AddRepository adds a private repository with one commit of the files (path ->
// content) on main, or with none if there are no files. The git repository
// behind it is made when it is first asked for.
func (s *Server) AddRepository(owner, name string, files map[string]string) *Repository {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := &s.world
	account := w.account(owner)
	if w.repository(owner, name) != nil {
		panic(fmt.Sprintf("githubtest: there is a repository %s/%s already", owner, name))
	}
	repository := &Repository{
		ID: w.nextID(), Owner: account.Login, Name: name,
		account: account, issues: &issueList{},
	}
	repository.git = s.newGitRepository(repository.ID, maps.Clone(files))
	s.putRepository(repository)
	return repository
}

// RenameRepository gives the repository another name; GitHub redirects from the
// old one.
func (s *Server) RenameRepository(repository *Repository, name string) *Repository {
	s.mu.Lock()
	defer s.mu.Unlock()
	renamed := *s.world.repositories[repository.ID]
	renamed.Name = name
	s.putRepository(&renamed)
	return &renamed
}

// putRepository needs s.mu.
func (s *Server) putRepository(r *Repository) {
	r.json = sync.OnceValue(func() json.RawMessage { return s.repositoryJSON(r) })
	s.world.repositories[r.ID] = r
	s.world.names[r.key()] = r.ID
}

// DeleteRepository deletes the repository.
func (s *Server) DeleteRepository(repository *Repository) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.world.repositories, repository.ID)
}

// repository returns nil if there is none of the name. It needs a held lock.
func (w *world) repository(owner, name string) *Repository {
	key := repositoryKey(owner, name)
	if found := w.repositories[w.names[key]]; found != nil && found.key() == key {
		return found
	}
	return nil
}

// repositoriesOf are the repositories of an account in the order of their ids.
// It needs a held lock.
func (w *world) repositoriesOf(a *account) []*Repository {
	var found []*Repository
	for _, r := range w.repositories {
		if r.account == a {
			found = append(found, r)
		}
	}
	slices.SortFunc(found, func(a, b *Repository) int { return int(a.ID - b.ID) })
	return found
}

// findRepository returns the repository that the request's path names, or the
// answer to give instead: not found, or moved.
func (s *Server) findRepository(r *request) (*Repository, *answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, asked := r.pathID("repository_id"), ""
	if id == 0 {
		asked = repositoryKey(r.PathValue("owner"), r.PathValue("repo"))
		id = s.world.names[asked]
	}
	found := s.world.repositories[id]
	if found == nil {
		missing := notFound()
		return nil, &missing
	}
	if asked != "" && asked != found.key() {
		segments := strings.SplitN(r.URL.Path, "/", 5) // "", repos, OWNER, REPO and the rest
		moved := movedTo(strings.Join(append([]string{s.APIURL, "repositories", strconv.FormatInt(id, 10)}, segments[4:]...), "/"))
		return nil, &moved
	}
	return found, nil
}

// permissionSatisfies reports whether the level held is at least the one wanted.
func permissionSatisfies(held, wanted string) bool {
	levels := []string{"", "read", "write", "admin"}
	level := slices.Index(levels, wanted)
	return level > 0 && slices.Index(levels, held) >= level
}
