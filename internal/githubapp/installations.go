package githubapp

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

const lookupOp = "look up the installation"

// Installation is an App on an account: an organization or a user.
type Installation struct {
	ID      int64
	Account string
	// Permissions are those that the account's owner has accepted, and Suspended
	// whether the installation is, when GitHub was asked.
	Permissions map[string]string
	Suspended   bool
	// AllRepositories is whether it has every repository of the account.
	AllRepositories bool
}

// installationAnswer is what is read of GitHub's answer.
type installationAnswer struct {
	ID      int64 `json:"id"`
	Account struct {
		Login string `json:"login"`
		Slug  string `json:"slug"` // of an enterprise
	} `json:"account"`
	Permissions         map[string]string `json:"permissions"`
	SuspendedAt         *string           `json:"suspended_at"`
	RepositorySelection string            `json:"repository_selection"`
}

func (a installationAnswer) installation() Installation {
	account := a.Account.Login
	if account == "" {
		account = a.Account.Slug
	}
	return Installation{
		ID: a.ID, Account: account, Permissions: a.Permissions,
		Suspended: a.SuspendedAt != nil, AllRepositories: a.RepositorySelection == "all",
	}
}

// Installation returns the App's installation on an account. GitHub is asked
// once, however many ask at the same time, until [Client.Forget].
func (c *Client) Installation(ctx context.Context, account string) (Installation, error) {
	return c.lookup(ctx, strings.ToLower(account), func(ctx context.Context) (Installation, error) {
		found, err := c.fetchInstallation(ctx, "orgs/"+escape(account)+"/installation")
		if IsKind(err, NotFound) {
			found, err = c.fetchInstallation(ctx, "users/"+escape(account)+"/installation")
		}
		if found.Account == "" {
			found.Account = account // GitHub's description lets it be missing
		}
		if err == nil && !strings.EqualFold(found.Account, account) {
			return found, &Error{Kind: NotFound, Op: lookupOp, Message: fmt.Sprintf("asked for %q, GitHub answered the installation on %q", account, found.Account)}
		}
		return found, err
	})
}

// InstallationByID returns the installation with the id; GitHub is asked as for
// [Client.Installation].
func (c *Client) InstallationByID(ctx context.Context, id int64) (Installation, error) {
	return c.lookup(ctx, idKey(id), func(ctx context.Context) (Installation, error) {
		return c.fetchInstallation(ctx, installationPath(id))
	})
}

// Inspect asks GitHub for the installation as it is now.
func (c *Client) Inspect(ctx context.Context, id int64) (Installation, error) {
	return c.fetchInstallation(ctx, installationPath(id))
}

func installationPath(id int64) string { return "app/installations/" + strconv.FormatInt(id, 10) }

// Forget drops what is known of the installation, so that the next request
// looks it up again: after it was removed and installed anew its id is another.
// One false 404 of GitHub's costs one look-up.
func (c *Client) Forget(gone Installation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, known := range c.installations {
		if known.ID == gone.ID {
			delete(c.installations, key)
		}
	}
}

// idKey cannot be an account's name: none holds a slash.
func idKey(id int64) string { return "/" + strconv.FormatInt(id, 10) }

// lookup returns the installation kept under the key, or shares one fetch among
// all that ask for it. The fetch outlives the one whose request began it.
func (c *Client) lookup(ctx context.Context, key string, fetch func(context.Context) (Installation, error)) (Installation, error) {
	if known, ok := c.known(key); ok {
		return known, nil
	}
	shared := c.lookups.DoChan(key, func() (any, error) {
		if known, ok := c.known(key); ok { // another fetch ended in between
			return known, nil
		}
		found, err := fetch(context.WithoutCancel(ctx))
		if err != nil {
			return nil, err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.installations[key] = found
		return found, nil
	})
	select {
	case <-ctx.Done():
		return Installation{}, fmt.Errorf("%s: %w", lookupOp, ctx.Err())
	case result := <-shared:
		if result.Err != nil {
			return Installation{}, result.Err
		}
		return result.Val.(Installation), nil
	}
}

// KnownInstallations is how many look-ups are kept.
func (c *Client) KnownInstallations() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.installations)
}

func (c *Client) known(key string) (Installation, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known, ok := c.installations[key]
	return known, ok
}

func (c *Client) fetchInstallation(ctx context.Context, path string) (Installation, error) {
	var answer installationAnswer
	if err := c.get(ctx, lookupOp, path, &answer); err != nil {
		return Installation{}, err
	}
	if answer.ID == 0 {
		return Installation{}, &Error{Kind: Unavailable, Op: lookupOp, Message: "GitHub's answer names no installation"}
	}
	return answer.installation(), nil
}

const (
	listOp = "list the installations"
	// perPage is the most that GitHub takes.
	perPage = 100
	// maxPages bounds a list: an App of one company has a handful.
	maxPages = 100
)

// Installations asks GitHub where the App is installed now.
func (c *Client) Installations(ctx context.Context) ([]Installation, error) {
	var all []Installation
	for page := 1; page <= maxPages; page++ {
		var answer []installationAnswer
		if err := c.get(ctx, listOp, fmt.Sprintf("app/installations?per_page=%d&page=%d", perPage, page), &answer); err != nil {
			return nil, err
		}
		for _, installed := range answer {
			all = append(all, installed.installation())
		}
		if len(answer) < perPage {
			return all, nil
		}
	}
	return nil, fmt.Errorf("%s: the App has more than %d", listOp, maxPages*perPage)
}
