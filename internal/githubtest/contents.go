package githubtest

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"path"
)

// getContents is GET /repos/{owner}/{repo}/contents/{path}, for files.
func (s *Server) getContents(r *request, repository *Repository) answer {
	branch := r.URL.Query().Get("ref")
	if branch == "" {
		branch = defaultBranch
	}
	name := r.PathValue("path")
	blob, found, err := repository.git.readFile(r.Context(), branch, name)
	switch {
	case err != nil:
		return failure(http.StatusInternalServerError, err.Error())
	case !found:
		return notFound()
	}
	file := fileJSON(name, blob)
	file["encoding"] = "base64"
	file["content"] = base64.StdEncoding.EncodeToString(blob.content)
	return success(file)
}

// putContents is PUT /repos/{owner}/{repo}/contents/{path}, for the default
// branch.
func (s *Server) putContents(r *request, repository *Repository) answer {
	var wanted struct {
		Message string `json:"message"`
		Content []byte `json:"content"` // base64, as in every JSON of Go's
		SHA     string `json:"sha"`
	}
	if err := json.Unmarshal(r.body, &wanted); err != nil {
		return failure(http.StatusBadRequest, "Problems parsing JSON")
	}
	name := r.PathValue("path")
	before, exists, err := repository.git.readFile(r.Context(), defaultBranch, name)
	switch {
	case err != nil:
		return failure(http.StatusInternalServerError, err.Error())
	case exists && wanted.SHA == "":
		return unprocessable("Invalid request.\n\n\"sha\" wasn't supplied.")
	case exists && wanted.SHA != before.sha:
		return failure(http.StatusConflict, name+" does not match "+wanted.SHA)
	}
	if err := repository.git.commit(r.Context(), wanted.Message, map[string]string{name: string(wanted.Content)}); err != nil {
		return failure(http.StatusInternalServerError, err.Error())
	}
	after, _, err := repository.git.readFile(r.Context(), defaultBranch, name)
	if err != nil {
		return failure(http.StatusInternalServerError, err.Error())
	}
	written := object{"content": fileJSON(name, after), "commit": object{"message": wanted.Message}}
	if exists {
		return success(written)
	}
	return created(written)
}

func fileJSON(name string, blob gitBlob) object {
	return object{"type": "file", "name": path.Base(name), "path": name, "sha": blob.sha, "size": len(blob.content)}
}
