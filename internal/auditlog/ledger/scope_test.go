package ledger

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"vault-plugin-secrets-github/internal/auditlog"
)

func TestAWrappedIssuanceIsReadFromItsScope(t *testing.T) {
	t.Parallel()
	for scope, want := range map[string]auditlog.Grant{
		"acme: api,web: contents=write,metadata=read": {
			Organization: "acme", Selection: "selected", Repositories: []string{"api", "web"}, Permissions: map[string]string{"contents": "write", "metadata": "read"},
		},
		"acme: *: metadata=read": {Organization: "acme", Selection: "all", Permissions: map[string]string{"metadata": "read"}},
		"acme":                   {},
		"":                       {},
	} {
		t.Run(scope, func(t *testing.T) {
			t.Parallel()
			var got auditlog.Grant
			readScope(&got, scope)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
