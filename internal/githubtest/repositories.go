package githubtest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"sync"
)

// asInstallationOn lets an endpoint be used with an installation token that
// sees the repository and has the permission for it.
func (s *Server) asInstallationOn(permission, level string, act func(*request, *Repository) answer) handler {
	return s.asInstallation(func(r *request, token Token) answer {
		repository, missing := s.findRepository(r)
		switch {
		case missing != nil:
			return *missing
		case !s.sees(token, repository):
			return notFound()
		case !permissionSatisfies(token.Permissions[permission], level):
			return failure(http.StatusForbidden, "Resource not accessible by integration")
		}
		return act(r, repository)
	})
}

// sees reports whether the token is good for the repository.
func (s *Server) sees(token Token, repository *Repository) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.world.repositoriesFor(token), repository)
}

// repositoriesFor are those that a live token is good for. It needs a held lock.
func (w *world) repositoriesFor(token Token) []*Repository {
	all := w.repositoriesIn(w.installations[token.InstallationID])
	if token.RepositoryIDs == nil {
		return all
	}
	return slices.DeleteFunc(all, func(r *Repository) bool { return !slices.Contains(token.RepositoryIDs, r.ID) })
}

// listRepositories is GET /installation/repositories.
func (s *Server) listRepositories(r *request, token Token) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.world.repositoriesFor(token)
	selection := s.world.installations[token.InstallationID].selection
	if token.RepositoryIDs != nil {
		selection = "selected"
	}
	page, header := paginate(s, r, all)
	listed := []json.RawMessage{}
	for _, repository := range page {
		listed = append(listed, repository.json())
	}
	return answer{status: http.StatusOK, header: header, body: object{
		"total_count":          len(all),
		"repository_selection": selection,
		"repositories":         listed,
	}}
}

func (s *Server) getRepository(_ *request, repository *Repository) answer {
	return success(repository.json())
}

// getRateLimit is GET /rate_limit.
func (s *Server) getRateLimit(*request) answer {
	limit := object{"limit": rateLimit, "used": 1, "remaining": rateLimit - 1, "reset": s.now().Unix() + 3600}
	return success(object{"resources": object{"core": limit, "search": limit}, "rate": limit})
}

// getMeta is GET /meta.
func (s *Server) getMeta(*request) answer {
	loopback := []string{"127.0.0.0/8", "::1/128"}
	return success(object{"verifiable_password_authentication": false, "hooks": loopback, "web": loopback, "api": loopback, "git": loopback})
}

// issueList is the issues of a repository.
type issueList struct {
	mu     sync.Mutex
	issues []issue
}

type issue struct {
	Number  int    `json:"number"`
	Title   string `json:"title"`
	Body    string `json:"body"`
	State   string `json:"state"`
	HTMLURL string `json:"html_url"`
}

func (s *Server) listIssues(r *request, repository *Repository) answer {
	repository.issues.mu.Lock()
	defer repository.issues.mu.Unlock()
	page, header := paginate(s, r, repository.issues.issues)
	return answer{status: http.StatusOK, header: header, body: append([]issue{}, page...)}
}

func (s *Server) createIssue(r *request, repository *Repository) answer {
	var wanted issue
	if err := json.Unmarshal(r.body, &wanted); err != nil {
		return failure(http.StatusBadRequest, "Problems parsing JSON")
	}
	if wanted.Title == "" {
		return unprocessable(`Invalid request. "title" wasn't supplied.`)
	}
	list := repository.issues
	list.mu.Lock()
	defer list.mu.Unlock()
	number := len(list.issues) + 1
	opened := issue{
		Number: number, Title: wanted.Title, Body: wanted.Body, State: "open",
		HTMLURL: s.URL + "/" + repository.FullName() + "/issues/" + strconv.Itoa(number),
	}
	list.issues = append(list.issues, opened)
	return created(opened)
}
