package e2e

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-github/e2e/vaulttest"
)

const realAPI = "https://api.github.com"

// realGitHub names the settings of the suite that asks github.com.
var realGitHub = []string{"GITHUB_APP_ID", "GITHUB_APP_PRIVATE_KEY", "GITHUB_ORG"}

// skippedRealGitHub says why that suite does not run; nothing if it does.
func skippedRealGitHub() string {
	for _, name := range realGitHub {
		if os.Getenv(name) == "" {
			return fmt.Sprintf("NOT TESTED against the real GitHub: %s is not set; it takes %s", name, strings.Join(realGitHub, ", "))
		}
	}
	return ""
}

// TestRealGitHub needs an App that is installed on an organization or a user:
// its ID, its private key (the PEM text, or the path of a file that holds it),
// and the account's name. It asks for metadata=read and nothing else.
func TestRealGitHub(t *testing.T) {
	t.Parallel()
	if why := skippedRealGitHub(); why != "" {
		t.Skip(why)
	}
	const path = "github-real"
	mount(t, path, pluginName)
	write(t, path+"/config", map[string]any{"app_id": os.Getenv("GITHUB_APP_ID"), "private_key": realKey(t)})
	role := map[string]any{
		"organization": os.Getenv("GITHUB_ORG"), "repository_selection": "all",
		"permissions": map[string]string{"metadata": "read"}, "ttl": "5m",
	}
	write(t, path+"/roles/metadata", role)

	secret := vault.Root().Get(t, path+"/token/metadata").Secret(t)
	token := tokenOf(secret)
	if secret.Data["hashed_token"] != hashOf(token) {
		t.Error("hashed_token is not the token's")
	}
	vaulttest.Eventually(t, time.Minute, func() error { return realStatus(t, token, http.StatusOK) })

	if a := revoke(t, secret.LeaseID); a.Status != http.StatusNoContent {
		t.Fatalf("revoke: %d %s", a.Status, a.Body)
	}
	vaulttest.Eventually(t, time.Minute, func() error { return realStatus(t, token, http.StatusUnauthorized) })

	delete(role, "repository_selection")
	role["repositories"] = "there-is-no-such-repository"
	write(t, path+"/roles/too-much", role)
	wantError(t, vault.Root().Get(t, path+"/token/too-much"), http.StatusBadRequest, "422")
}

func realKey(t *testing.T) string {
	t.Helper()
	key := os.Getenv("GITHUB_APP_PRIVATE_KEY")
	if !strings.Contains(key, "-----BEGIN") {
		content, err := os.ReadFile(key)
		if err != nil {
			t.Fatalf("GITHUB_APP_PRIVATE_KEY is neither a key in PEM nor a file: %s", err)
		}
		key = string(content)
	}
	leaks.WatchFor(key)
	return key
}

// realStatus checks what GitHub answers to the token.
func realStatus(t *testing.T, token string, want int) error {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, realAPI+"/installation/repositories?per_page=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != want {
		return fmt.Errorf("GitHub answers %d to the token, not %d", resp.StatusCode, want)
	}
	return nil
}
