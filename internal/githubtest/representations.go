package githubtest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
)

// longAgo is when everything was created.
const longAgo = "2024-01-02T03:04:05Z"

// examples are answers that GitHub's OpenAPI description gives as examples; the
// fake's are made of them, so they have the size of real ones.
type examples struct {
	repository string
	account    string
}

// githubExamples reads the examples once for all servers of a process.
var githubExamples = sync.OnceValues(func() (examples, error) {
	var document struct {
		Components struct {
			Examples struct {
				Token struct {
					Value struct {
						Repositories []json.RawMessage `json:"repositories"`
					} `json:"value"`
				} `json:"installation-token"`
				App struct {
					Value struct {
						Owner json.RawMessage `json:"owner"`
					} `json:"value"`
				} `json:"integration"`
			} `json:"examples"`
		} `json:"components"`
	}
	if err := json.Unmarshal(description, &document); err != nil {
		return examples{}, err
	}
	found := document.Components.Examples
	return examples{
		repository: string(found.Token.Value.Repositories[0]),
		account:    string(found.App.Value.Owner),
	}, nil
})

// hosts puts this server in the place of github.com.
func (s *Server) hosts() []string {
	return []string{"https://api.github.com", s.APIURL, "https://github.com", s.URL}
}

// accountJSON is an account in the short form that is part of other answers.
func (s *Server) accountJSON(a *account) object {
	names := append(s.hosts(), "octocat", a.Login)
	filled := decodeObject(strings.NewReplacer(names...).Replace(s.examples.account))
	filled["id"] = a.ID
	filled["node_id"] = nodeID("O", a.ID)
	filled["type"] = a.Type
	return filled
}

// repositoryJSON is GitHub's example of a repository under the name of r.
func (s *Server) repositoryJSON(r *Repository) json.RawMessage {
	names := append(s.hosts(), "octocat", r.Owner, "Hello-World", r.Name)
	filled := decodeObject(strings.NewReplacer(names...).Replace(s.examples.repository))
	filled["owner"] = s.accountJSON(r.account)
	filled["private"] = true
	filled["visibility"] = "private"
	filled["default_branch"] = defaultBranch
	delete(filled, "name")
	delete(filled, "id")
	delete(filled, "node_id")
	encoded, err := json.Marshal(filled)
	if err != nil {
		panic(err) // it was JSON before
	}
	// GitHub begins with these; how soon they are read is part of what a client costs.
	return append(fmt.Appendf(nil, `{"id":%d,"node_id":%q,"name":%q,`, r.ID, nodeID("R", r.ID), r.Name), encoded[1:]...)
}

func decodeObject(text string) object {
	var decoded object
	if err := json.Unmarshal([]byte(text), &decoded); err != nil {
		panic(fmt.Sprintf("githubtest: a name breaks GitHub's example: %v", err))
	}
	return decoded
}

// nodeID has the form of GitHub's global ids.
func nodeID(kind string, id int64) string {
	return kind + "_" + base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%012d", id))
}

const (
	defaultPerPage = 30
	maxPerPage     = 100
)

// paginate returns the page that the request asks for, and the Link header that
// leads to the others.
func paginate[T any](s *Server, r *request, all []T) (page []T, header http.Header) {
	query := r.URL.Query()
	perPage := min(positive(query.Get("per_page"), defaultPerPage), maxPerPage)
	number := positive(query.Get("page"), 1)
	last := max(1, (len(all)+perPage-1)/perPage)

	var links []string
	link := func(rel string, number int) {
		target := url.URL{Path: r.URL.Path, RawQuery: url.Values{
			"per_page": {strconv.Itoa(perPage)}, "page": {strconv.Itoa(number)},
		}.Encode()}
		links = append(links, fmt.Sprintf(`<%s%s>; rel="%s"`, s.APIURL, target.String(), rel))
	}
	if number > 1 {
		link("prev", number-1)
		link("first", 1)
	}
	if number < last {
		link("next", number+1)
		link("last", last)
	}
	if links != nil {
		header = http.Header{"Link": {strings.Join(links, ", ")}}
	}
	from := min((number-1)*perPage, len(all))
	return all[from:min(from+perPage, len(all))], header
}

func positive(text string, otherwise int) int {
	if n, err := strconv.Atoi(text); err == nil && n > 0 {
		return n
	}
	return otherwise
}
