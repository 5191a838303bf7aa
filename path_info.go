package githubsecrets

import (
	"context"
	"net/http"
	"runtime/debug"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

// Version is this build's, set by the linker. It must be the one that the
// plugin is registered with, if any.
var Version = "v0.1.0-dev"

func (b *backend) infoPaths() []*framework.Path {
	return []*framework.Path{{
		Pattern:      "info$",
		DisplayAttrs: displayAttrs("info"),
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ReadOperation: &framework.PathOperation{
				Callback: b.readInfo, Summary: "Read the engine's version.",
				Responses: responses(http.StatusOK, "The version.", map[string]*framework.FieldSchema{
					"version":    {Type: framework.TypeString, Required: true, Description: "Version of the engine, as registered with Vault."},
					"go_version": {Type: framework.TypeString, Required: true, Description: "Go that built it."},
					"revision":   {Type: framework.TypeString, Description: "Commit that it was built from, where the build knew."},
				}),
			},
		},
		HelpSynopsis:    "Read the engine's version.",
		HelpDescription: "Answers the version of the engine that serves this mount and how it was built.",
	}}
}

func (b *backend) readInfo(context.Context, *logical.Request, *framework.FieldData) (*logical.Response, error) {
	data := map[string]any{"version": Version}
	if build, ok := debug.ReadBuildInfo(); ok {
		data["go_version"] = build.GoVersion
		for _, s := range build.Settings {
			if s.Key == "vcs.revision" {
				data["revision"] = s.Value
			}
		}
	}
	return &logical.Response{Data: data}, nil
}
