package githubsecrets

import (
	"context"
	"net/http"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-github/internal/githubapp"
)

const (
	installationsHelp = `Ask GitHub where an App is installed.`

	installationsDescription = `
Answers each account with what its owner has accepted. "installations" is the App
called "default", "installations/<app>" is any other. GitHub is asked now.
`
)

func (b *backend) installationsPaths() []*framework.Path {
	return []*framework.Path{
		b.installationsPath("installations$", "installations", nil),
		b.installationsPath("installations/(?P<app>[^/]+)$", "app-installations", appField()),
	}
}

func (b *backend) installationsPath(pattern, suffix string, fields map[string]*framework.FieldSchema) *framework.Path {
	return &framework.Path{
		Pattern:      pattern,
		DisplayAttrs: displayAttrs(suffix),
		Fields:       fields,
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ReadOperation: &framework.PathOperation{
				Callback: b.readInstallations, Summary: "Ask GitHub where the App is installed.",
				Responses: responses(http.StatusOK, "Where it is.", map[string]*framework.FieldSchema{
					"installations": installationsField(),
				}),
			},
		},
		HelpSynopsis:    installationsHelp,
		HelpDescription: strings.TrimSpace(installationsDescription),
	}
}

// appField is the App in a path.
func appField() map[string]*framework.FieldSchema {
	return map[string]*framework.FieldSchema{"app": {Type: framework.TypeString, Description: "Name of the App."}}
}

func installationsField() *framework.FieldSchema {
	return &framework.FieldSchema{Type: framework.TypeSlice, Required: true,
		Description: "Each installation: installation_id, organization, repository_selection, suspended, permissions."}
}

func (b *backend) readInstallations(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	name, err := appName(d)
	if err != nil {
		return nil, err
	}
	a, err := b.configuredApp(ctx, req.Storage, name)
	if err != nil || a == nil {
		return nil, err
	}
	installed, err := a.client.Installations(ctx)
	if err != nil {
		return nil, err
	}
	return &logical.Response{Data: map[string]any{"installations": installationList(installed)}}, nil
}

func installationList(installed []githubapp.Installation) []any {
	list := make([]any, len(installed))
	for n, i := range installed {
		selection := selectedRepositories
		if i.AllRepositories {
			selection = allRepositories
		}
		list[n] = map[string]any{
			"installation_id": i.ID, "organization": i.Account, "repository_selection": selection,
			"suspended": i.Suspended, "permissions": i.Permissions,
		}
	}
	return list
}
