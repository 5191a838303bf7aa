package githubtest

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Installation is an App on an account, as it was when it was installed.
type Installation struct {
	ID      int64
	AppID   int64
	Account string

	app          *App
	account      *account
	permissions  map[string]string
	selection    string
	repositories []int64 // of a selection
	suspendedAt  *time.Time
}

// InstallOptions say what an installation may do.
type InstallOptions struct {
	// Permissions are the App's if nil.
	Permissions map[string]string
	// RepositorySelection is "all" or "selected"; if empty, "selected" where
	// Repositories are given.
	RepositorySelection string
	// Repositories are the bare names of the selected ones.
	Repositories []string
}

// Install installs the App on an organization or user. Installing it again
// replaces the installation, with a new id.
func (s *Server) Install(app *App, login string, options InstallOptions) *Installation {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := &s.world
	installation := &Installation{
		ID: w.nextID(), AppID: app.ID,
		app: app, account: w.account(login),
		permissions: withMetadata(app.permissions),
		selection:   "all",
	}
	installation.Account = installation.account.Login
	if options.Permissions != nil {
		installation.permissions = withMetadata(options.Permissions)
	}
	switch {
	case options.RepositorySelection != "":
		installation.selection = options.RepositorySelection
	case options.Repositories != nil:
		installation.selection = "selected"
	}
	for _, name := range options.Repositories {
		repository := w.repository(login, name)
		if repository == nil {
			panic(fmt.Sprintf("githubtest: there is no repository %s/%s; add it first", login, name))
		}
		installation.repositories = append(installation.repositories, repository.ID)
	}
	if before := w.installationOn(app, installation.account); before != nil {
		delete(w.installations, before.ID)
	}
	w.installations[installation.ID] = installation
	return installation
}

// Uninstall deletes the installation; its tokens die with it.
func (s *Server) Uninstall(installation *Installation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.world.installations, installation.ID)
}

// Suspend makes GitHub refuse the installation and its tokens.
func (s *Server) Suspend(installation *Installation) {
	now := s.now()
	s.setSuspended(installation.ID, &now)
}

// Unsuspend ends Suspend.
func (s *Server) Unsuspend(installation *Installation) { s.setSuspended(installation.ID, nil) }

func (s *Server) setSuspended(id int64, at *time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := *s.world.installations[id]
	changed.suspendedAt = at
	s.world.installations[id] = &changed
}

// installationsOf are the App's in the order of their ids. It needs a held lock.
func (w *world) installationsOf(app *App) []*Installation {
	var found []*Installation
	for _, id := range slices.Sorted(maps.Keys(w.installations)) {
		if w.installations[id].app == app {
			found = append(found, w.installations[id])
		}
	}
	return found
}

// installationOn returns nil if the App is not installed on the account. It
// needs a held lock.
func (w *world) installationOn(app *App, account *account) *Installation {
	for _, installation := range w.installationsOf(app) {
		if installation.account == account {
			return installation
		}
	}
	return nil
}

// repositoriesIn are those that the installation may use. It needs a held lock.
func (w *world) repositoriesIn(installation *Installation) []*Repository {
	all := w.repositoriesOf(installation.account)
	if installation.selection == "all" {
		return all
	}
	return slices.DeleteFunc(all, func(r *Repository) bool { return !slices.Contains(installation.repositories, r.ID) })
}

func (s *Server) listInstallations(r *request, app *App) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	page, header := paginate(s, r, s.world.installationsOf(app))
	listed := []object{}
	for _, installation := range page {
		listed = append(listed, s.installationJSON(installation))
	}
	return answer{status: http.StatusOK, header: header, body: listed}
}

func (s *Server) getInstallation(r *request, app *App) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.installationAnswer(app, s.world.installations[r.pathID("installation_id")])
}

func (s *Server) deleteInstallation(r *request, app *App) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	installation := s.world.installations[r.pathID("installation_id")]
	if installation == nil || installation.app != app {
		return notFound()
	}
	delete(s.world.installations, installation.ID)
	return noContent()
}

func (s *Server) getOrganizationInstallation(r *request, app *App) answer {
	return s.accountInstallation(app, r.PathValue("org"), organization)
}

func (s *Server) getUserInstallation(r *request, app *App) answer {
	return s.accountInstallation(app, r.PathValue("username"), user)
}

func (s *Server) accountInstallation(app *App, login, kind string) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	account := s.world.accounts[strings.ToLower(login)]
	if account == nil || account.Type != kind {
		return notFound()
	}
	return s.installationAnswer(app, s.world.installationOn(app, account))
}

func (s *Server) getRepositoryInstallation(r *request, app *App) answer {
	repository, missing := s.findRepository(r)
	if missing != nil {
		return *missing
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	installation := s.world.installationOn(app, repository.account)
	if installation == nil || !slices.Contains(s.world.repositoriesIn(installation), repository) {
		return notFound()
	}
	return s.installationAnswer(app, installation)
}

// installationAnswer hides what is not the App's.
func (s *Server) installationAnswer(app *App, installation *Installation) answer {
	if installation == nil || installation.app != app {
		return notFound()
	}
	return success(s.installationJSON(installation))
}

func (s *Server) installationJSON(i *Installation) object {
	id := strconv.FormatInt(i.ID, 10)
	json := object{
		"id":                   i.ID,
		"account":              s.accountJSON(i.account),
		"repository_selection": i.selection,
		"access_tokens_url":    s.APIURL + "/app/installations/" + id + "/access_tokens",
		"repositories_url":     s.APIURL + "/installation/repositories",
		"html_url":             s.URL + "/organizations/" + url.PathEscape(i.Account) + "/settings/installations/" + id,
		"app_id":               i.AppID,
		"app_slug":             i.app.Slug,
		"client_id":            i.app.ClientID,
		"target_id":            i.account.ID,
		"target_type":          i.account.Type,
		"permissions":          i.permissions,
		"events":               []string{},
		"created_at":           longAgo,
		"updated_at":           longAgo,
		"single_file_name":     nil,
		"suspended_at":         i.suspendedAt,
		"suspended_by":         nil,
	}
	if i.suspendedAt != nil {
		json["suspended_by"] = s.accountJSON(i.account)
	}
	return json
}
