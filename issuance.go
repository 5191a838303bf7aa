package githubsecrets

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"vault-plugin-secrets-github/internal/githubapp"
	"vault-plugin-secrets-github/internal/policy"
)

// issuance is one token on its way to one caller.
type issuance struct {
	role         *role
	app          *app
	caller       policy.Caller
	grant        policy.Grant
	installation githubapp.Installation
	token        *githubapp.Token
}

// mint finds the installation and makes the token. GitHub's 404 for an
// installation that was looked up earlier may mean that the App was removed and
// installed anew, so it is looked up once more.
func (i *issuance) mint(ctx context.Context) error {
	if err := i.locate(ctx); err != nil {
		return err
	}
	stale := i.installation
	var err error
	i.token, err = i.app.client.Mint(ctx, stale.ID, i.wanted())
	if !githubapp.IsKind(err, githubapp.NotFound) {
		return i.explain(err)
	}
	i.app.client.Forget(stale)
	if err := i.locate(ctx); err != nil {
		return err
	}
	if i.installation.ID != stale.ID {
		i.token, err = i.app.client.Mint(ctx, i.installation.ID, i.wanted())
	}
	return i.explain(err)
}

// wanted is what GitHub is asked for.
func (i *issuance) wanted() githubapp.TokenRequest {
	return githubapp.TokenRequest{
		Repositories: i.grant.Repositories, RepositoryIDs: i.grant.RepositoryIDs,
		AllRepositories: i.grant.AllRepositories, Permissions: i.grant.Permissions,
	}
}

func (i *issuance) locate(ctx context.Context) (err error) {
	if i.grant.InstallationID != 0 {
		i.installation, err = i.app.client.InstallationByID(ctx, i.grant.InstallationID)
	} else {
		i.installation, err = i.app.client.Installation(ctx, i.grant.Organization)
	}
	return i.explain(err)
}

// explain adds to GitHub's error which App and account it is about, and what
// helps.
func (i *issuance) explain(err error) error {
	var github *githubapp.Error
	if !errors.As(err, &github) {
		return err
	}
	remedy := ""
	switch github.Kind {
	case githubapp.NotFound:
		remedy = "; the App is not installed there, or its installation was removed; install it, or correct the role"
	case githubapp.Suspended:
		remedy = "; an owner of the account unsuspends the installation"
	case githubapp.Unprocessable:
		remedy = "; the installation does not have a repository or permission that is asked for"
	case githubapp.KeyRefused:
		remedy = "; was it deleted on the App's page? Write a new one to the App's configuration"
	}
	return fmt.Errorf("role %q, App %q on %s: %w%s", i.role.Name, i.app.Name, i.account(), err, remedy)
}

// account names where the role's App is installed.
func (i *issuance) account() string {
	if i.grant.Organization != "" {
		return i.grant.Organization
	}
	return "installation " + idText(i.grant.InstallationID)
}

// check refuses a token that is good for more than was granted.
func (i *issuance) check() error {
	answer := policy.Answer{AllRepositories: i.token.AllRepositories, Permissions: i.token.Permissions}
	for _, r := range i.token.Repositories {
		answer.Repositories = append(answer.Repositories, policy.Repository(r))
	}
	err := i.grant.Verify(answer)
	var excess *policy.Excess
	if errors.As(err, &excess) {
		return i.explain(&githubapp.Error{
			Kind: githubapp.Undelivered, Op: "check the token", Message: err.Error() + "; the token is being revoked",
		})
	}
	return asRefusal(err)
}

// granted is the token's permissions as GitHub's answer says, or as they were
// asked where it says nothing.
func (i *issuance) granted() map[string]string {
	if len(i.token.Permissions) > 0 {
		return i.token.Permissions
	}
	return i.grant.Permissions
}

// scope is the token's scope in one line: "acme: api,web: contents=write".
func (i *issuance) scope() string {
	repositories := "*"
	if names, _ := i.repositories(); names != nil {
		repositories = strings.Join(names, ",")
	}
	return i.installation.Account + ": " + repositories + ": " + permissionLine(i.granted())
}

func permissionLine(permissions map[string]string) string {
	pairs := make([]string, 0, len(permissions))
	for _, name := range slices.Sorted(maps.Keys(permissions)) {
		pairs = append(pairs, name+"="+permissions[name])
	}
	return strings.Join(pairs, ",")
}

// repositories are the names and ids that the token is good for, as they were
// asked where GitHub's answer says nothing; nil for all.
func (i *issuance) repositories() ([]string, []int64) {
	if i.grant.AllRepositories {
		return nil, nil
	}
	if len(i.token.Repositories) == 0 {
		return append([]string{}, i.grant.Repositories...), append([]int64{}, i.grant.RepositoryIDs...)
	}
	names, ids := make([]string, 0, len(i.token.Repositories)), make([]int64, 0, len(i.token.Repositories))
	for _, r := range i.token.Repositories {
		names, ids = append(names, r.Name), append(ids, r.ID)
	}
	return names, ids
}

// data is the answer that the caller gets, whose lease lasts for ttl.
func (i *issuance) data(ttl time.Duration) map[string]any {
	data := map[string]any{
		"token":                i.token.Value,
		"ttl":                  int64(ttl.Seconds()),
		"expires_at":           i.token.ExpiresAt.UTC().Format(time.RFC3339),
		"hashed_token":         githubapp.HashToken(i.token.Value),
		"role":                 i.role.Name,
		"app":                  i.app.Name,
		"installation_id":      i.installation.ID,
		"organization":         i.installation.Account,
		"repository_selection": allRepositories,
		"permissions":          i.granted(),
		"scope":                i.scope(),
	}
	if names, ids := i.repositories(); names != nil {
		data["repository_selection"] = selectedRepositories
		data["repositories"], data["repository_ids"] = names, ids
	}
	if i.caller.Subject != "" {
		data["subject"] = i.caller.Subject
	}
	if i.caller.Verified {
		for _, claim := range []string{"run_id", "workflow_ref", "ref", "event_name"} {
			if value, ok := i.caller.Claims[claim]; ok {
				data[claim] = fmt.Sprint(value)
			}
		}
	}
	return data
}
