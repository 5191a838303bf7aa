package githubsecrets

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-github/internal/githubapp"
	"vault-plugin-secrets-github/internal/policy"
)

const (
	statusHelp = `Ask GitHub how an App is.`

	statusDescription = `
Says whether the key still works, how old it is, how much of the rate limit is
left, where the App is installed, and which roles ask for what an installation
lacks. "status" is the App called "default", "status/<app>" is any other. GitHub
is asked now; if it fails, the answer says so, and is no error.
`
)

func (b *backend) statusPaths() []*framework.Path {
	unnamed := b.statusPath("status/?$", "status", nil)
	unnamed.Operations[logical.ListOperation] = listOperation(b.listApps, "Apps")
	return []*framework.Path{unnamed, b.statusPath("status/(?P<app>[^/]+)$", "app-status", appField())}
}

func (b *backend) statusPath(pattern, suffix string, fields map[string]*framework.FieldSchema) *framework.Path {
	return &framework.Path{
		Pattern:      pattern,
		DisplayAttrs: displayAttrs(suffix),
		Fields:       fields,
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ReadOperation: &framework.PathOperation{
				Callback: b.readStatus, Summary: "Ask GitHub how the App is.",
				Responses: responses(http.StatusOK, "How it is.", statusFields()),
			},
		},
		HelpSynopsis:    statusHelp,
		HelpDescription: strings.TrimSpace(statusDescription),
	}
}

func statusFields() map[string]*framework.FieldSchema {
	installations := installationsField()
	installations.Required = false
	return map[string]*framework.FieldSchema{
		"app":                  {Type: framework.TypeString, Required: true, Description: "The App's name below config/."},
		"disabled":             {Type: framework.TypeBool, Required: true, Description: "Whether the App is disabled here."},
		"healthy":              {Type: framework.TypeBool, Required: true, Description: "Whether there are no problems."},
		"problems":             {Type: framework.TypeStringSlice, Required: true, Description: "What keeps somebody from getting a token, a sentence each."},
		"checked_at":           {Type: framework.TypeString, Required: true, Description: "When GitHub was asked, RFC 3339."},
		"key_valid":            {Type: framework.TypeBool, Required: true, Description: "Whether GitHub has taken the App's key just now."},
		"reason":               {Type: framework.TypeString, Description: "Why GitHub did not answer, as among the metrics."},
		"error":                {Type: framework.TypeString, Description: "The same as a sentence."},
		"fingerprint":          {Type: framework.TypeString, Required: true, Description: "Fingerprint of the private key as GitHub shows it."},
		"key_written":          {Type: framework.TypeString, Description: "When the private key was first written, RFC 3339."},
		"key_age":              {Type: framework.TypeInt64, Description: "How long ago that was, in seconds."},
		"slug":                 {Type: framework.TypeString, Description: "The App's URL name on GitHub."},
		"owner":                {Type: framework.TypeString, Description: "Account that owns the App."},
		"permissions":          {Type: framework.TypeKVPairs, Description: "What the App asks of an installation."},
		"rate_limit":           {Type: framework.TypeInt64, Description: "Requests per hour that GitHub takes of the App itself."},
		"rate_limit_remaining": {Type: framework.TypeInt64, Description: "How many of these are left."},
		"rate_limit_reset":     {Type: framework.TypeString, Description: "When all are again, RFC 3339."},
		"installations":        installations,
		"drift":                {Type: framework.TypeSlice, Description: "Where roles and installations have grown apart: role, organization, problem, permission, wanted, has."},
	}
}

func (b *backend) readStatus(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	name, err := appName(d)
	if err != nil {
		return nil, err
	}
	a, err := b.configuredApp(ctx, req.Storage, name)
	if err != nil || a == nil {
		return nil, err
	}
	s := appStatus{app: a}
	if err := s.ask(ctx); err != nil {
		return nil, err
	}
	if s.failure == nil {
		if s.drift, err = driftOf(ctx, req.Storage, name, s.info, s.installed); err != nil {
			return nil, err
		}
	}
	return &logical.Response{Data: s.data(b.now())}, nil
}

// appStatus is what GitHub says of an App now.
type appStatus struct {
	app       *app
	keyValid  bool
	info      githubapp.AppInfo
	installed []githubapp.Installation
	drift     []drift
	// failure is why GitHub did not say all.
	failure error
}

// ask asks GitHub. What GitHub does not answer is part of the status; the error
// is the caller's, who has hung up, or ours.
func (s *appStatus) ask(ctx context.Context) (err error) {
	if s.info, err = s.app.client.App(ctx); err == nil {
		s.keyValid = true
		s.installed, err = s.app.client.Installations(ctx)
	}
	var github *githubapp.Error
	if errors.As(err, &github) {
		s.failure, err = err, nil
	}
	return err
}

func (s *appStatus) data(now time.Time) map[string]any {
	problems := s.problems()
	data := map[string]any{
		"app": s.app.Name, "disabled": s.app.Disabled, "fingerprint": s.app.Fingerprint,
		"healthy": len(problems) == 0, "problems": problems,
		"checked_at": now.UTC().Format(time.RFC3339), "key_valid": s.keyValid,
	}
	if !s.app.KeyWritten.IsZero() {
		data["key_written"] = s.app.KeyWritten.UTC().Format(time.RFC3339)
		data["key_age"] = int64(now.Sub(s.app.KeyWritten).Seconds())
	}
	if rate, ok := s.app.client.Rate(); ok {
		data["rate_limit"], data["rate_limit_remaining"] = rate.Limit, rate.Remaining
		if !rate.Reset.IsZero() {
			data["rate_limit_reset"] = rate.Reset.UTC().Format(time.RFC3339)
		}
	}
	if s.keyValid {
		data["slug"], data["owner"], data["permissions"] = s.info.Slug, s.info.Owner, s.info.Permissions
	}
	if s.failure != nil {
		data["reason"], data["error"] = reasonOf(s.failure), s.failure.Error()
		return data
	}
	data["installations"] = s.installationList()
	drifted := make([]any, len(s.drift))
	for i, d := range s.drift {
		drifted[i] = d.data()
	}
	data["drift"] = drifted
	return data
}

// installationList adds to each installation what the App asks for and its owner
// has not accepted.
func (s *appStatus) installationList() []any {
	list := installationList(s.installed)
	for n, i := range s.installed {
		list[n].(map[string]any)["not_accepted"] = s.notAccepted(i)
	}
	return list
}

// notAccepted are the permissions that the App asks for and the installation's
// owner has not accepted, at the level asked for.
func (s *appStatus) notAccepted(i githubapp.Installation) map[string]string {
	lacking := map[string]string{}
	for name, level := range s.info.Permissions {
		if !policy.LevelCovers(i.Permissions[name], level) {
			lacking[name] = level
		}
	}
	return lacking
}

// problems are what keeps somebody from getting a token. A role that depends on
// the job may be well, and nobody waits for what no role asks for.
func (s *appStatus) problems() []string {
	problems := []string{}
	if s.app.Disabled {
		problems = append(problems, "the App is disabled here")
	}
	switch {
	case githubapp.IsKind(s.failure, githubapp.KeyRefused), githubapp.IsKind(s.failure, githubapp.NotFound):
		problems = append(problems, fmt.Sprintf("GitHub does not take the key with fingerprint %s: %s", s.app.Fingerprint, s.failure))
	case s.failure != nil:
		problems = append(problems, s.failure.Error())
	}
	for _, d := range s.drift {
		if d.problem != unresolved {
			problems = append(problems, d.String())
		}
	}
	return problems
}
