package githubsecrets

import (
	"context"
	"net/http"
	"runtime"
	"runtime/debug"
	"sync"

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
	build := thisBuild()
	data := map[string]any{"version": Version, "go_version": build.goVersion}
	if build.revision != "" {
		data["revision"] = build.revision
	}
	return &logical.Response{Data: data}, nil
}

// buildFacts are how this binary was built; revision is empty where the build did
// not know.
type buildFacts struct{ goVersion, revision string }

var thisBuild = sync.OnceValue(func() buildFacts {
	facts := buildFacts{goVersion: runtime.Version()}
	if build, ok := debug.ReadBuildInfo(); ok {
		for _, s := range build.Settings {
			if s.Key == "vcs.revision" {
				facts.revision = s.Value
			}
		}
	}
	return facts
})
