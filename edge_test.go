package githubsecrets

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

func TestUnknownParametersAreRefusedOnEveryPath(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	e.mustWriteRole("api", nil)
	paths := map[string][]logical.Operation{
		"config":      {logical.CreateOperation, logical.UpdateOperation, logical.ReadOperation, logical.DeleteOperation},
		"config/":     {logical.ListOperation},
		"config/ghes": {logical.CreateOperation, logical.UpdateOperation, logical.ReadOperation, logical.DeleteOperation},
		"roles/":      {logical.ListOperation},
		"roles/api":   {logical.CreateOperation, logical.UpdateOperation, logical.ReadOperation, logical.DeleteOperation},
		"token/api":   {logical.ReadOperation, logical.UpdateOperation},
		"info":        {logical.ReadOperation},
	}
	for path, operations := range paths {
		for _, op := range operations {
			for _, name := range []string{"permisions", "Repositories", "TTL", " ttl", "token", ""} {
				e.wantRefusal(op, path, map[string]any{name: "contents=write"}, http.StatusBadRequest, "unknown parameter")
			}
		}
	}
	if n := e.github.Minted(); n != 0 {
		t.Errorf("%d tokens were minted by refused requests", n)
	}
	if e.must(logical.ReadOperation, "roles/api", nil).data("permissions") == nil {
		t.Error("a refused request deleted the role")
	}
}

func TestAWriteParameterIsRefusedOnAReadThatDoesNotTakeIt(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	e.mustWriteRole("api", nil)
	e.wantRefusal(logical.ReadOperation, "roles/api", map[string]any{"ttl": "5m"}, http.StatusBadRequest, `"ttl": this operation takes none`)
}

func TestThePathsNameCannotBeContradicted(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	e.mustWriteRole("api", map[string]any{"name": "api"})
	e.wantRefusal(logical.UpdateOperation, "roles/api", map[string]any{"name": "web"}, http.StatusBadRequest, "name", "roles/api")
	e.wantRefusal(logical.UpdateOperation, "token/api", map[string]any{"role": "web"}, http.StatusBadRequest, "role", "token/api")
}

func TestAPanicIsAnErrorOfThatRequestAlone(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	e.Route("info").Operations[logical.ReadOperation] = &framework.PathOperation{
		Callback: func(context.Context, *logical.Request, *framework.FieldData) (*logical.Response, error) {
			panic("the reason")
		},
	}
	a := e.do(t.Context(), logical.ReadOperation, "info", nil)
	a.wantRefusal(t, http.StatusInternalServerError, "internal error")
	if strings.Contains(a.err, "the reason") || !strings.Contains(e.log.String(), "the reason") {
		t.Error("the reason belongs into the log and not into the answer")
	}
	e.must(logical.ReadOperation, "config", nil)
}

// TestEveryPathIsDocumented holds what vault path-help and Vault's OpenAPI
// document are made of.
func TestEveryPathIsDocumented(t *testing.T) {
	t.Parallel()
	b := newBackend(nil)
	for _, path := range b.Paths {
		t.Run(path.Pattern, func(t *testing.T) {
			t.Parallel()
			if path.HelpSynopsis == "" || path.HelpDescription == "" {
				t.Error("no help")
			}
			if path.DisplayAttrs == nil || path.DisplayAttrs.OperationPrefix != "github" || path.DisplayAttrs.OperationSuffix == "" {
				t.Error("no name for OpenAPI's operation ids")
			}
			for name, field := range path.Fields {
				wantDescribed(t, name, field)
			}
			for op, handler := range path.Operations {
				properties := handler.Properties()
				if properties.Summary == "" {
					t.Errorf("%s: no summary", op)
				}
				if len(properties.Responses) == 0 {
					t.Errorf("%s: no response schema", op)
				}
				for _, responses := range properties.Responses {
					for name, field := range responses[0].Fields {
						wantDescribed(t, name, field)
					}
				}
			}
		})
	}
}

func wantDescribed(t *testing.T, name string, field *framework.FieldSchema) {
	t.Helper()
	if !strings.HasSuffix(field.Description, ".") {
		t.Errorf("field %s: description %q is not a sentence", name, field.Description)
	}
}

// TestEveryParameterHasAStrictReader fails when a field of a new type is added
// and parameters.go does not know it.
func TestEveryParameterHasAStrictReader(t *testing.T) {
	t.Parallel()
	for _, path := range newBackend(nil).Paths {
		for name, field := range path.Fields {
			if _, err := parseParameter(field.Type, nil); err != nil && strings.Contains(err.Error(), "does not read") {
				t.Errorf("%s: field %s: %v", path.Pattern, name, err)
			}
		}
	}
}

func TestRegistrationTouchesNoStorage(t *testing.T) {
	t.Parallel()
	b, err := new(Engines).Factory(t.Context(), &logical.BackendConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if got := b.(logical.PluginVersioner).PluginVersion().Version; got != Version {
		t.Errorf("reports version %q, want %q", got, Version)
	}
	b.Cleanup(t.Context())
}
