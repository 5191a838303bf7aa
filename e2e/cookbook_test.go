package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"vault-plugin-secrets-github/e2e/vaulttest"
)

// cookbook is docs/roles.md, whose blocks are run as they are printed.
type cookbook string

func readCookbook(t *testing.T) cookbook {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docs", "roles.md"))
	if err != nil {
		t.Fatal(err)
	}
	return cookbook(text)
}

// section is what stands below a heading of the second level, cut at those of
// the third.
func (c cookbook) section(t *testing.T, heading string) []cookbook {
	t.Helper()
	_, section, found := strings.Cut(string(c), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("docs/roles.md has no heading %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var parts []cookbook
	for _, part := range strings.Split(section, "\n### ")[1:] {
		parts = append(parts, cookbook(part))
	}
	if len(parts) == 0 {
		t.Fatalf("docs/roles.md has nothing below %q", heading)
	}
	return parts
}

func (c cookbook) heading() string {
	heading, _, _ := strings.Cut(string(c), "\n")
	return heading
}

// fence is a block that a comment names: kind, name and text.
var fence = regexp.MustCompile("(?s)<!-- (\\w+): [\\w-]+ -->\n```(?:sh|json)\n(.*?)\n```\n")

// block is the one block of a kind.
func (c cookbook) block(t *testing.T, kind string) string {
	t.Helper()
	var found []string
	for _, match := range fence.FindAllStringSubmatch(string(c), -1) {
		if match[1] == kind {
			found = append(found, match[2])
		}
	}
	if len(found) != 1 {
		t.Fatalf("%q has %d blocks <!-- %s: … -->, not one", c.heading(), len(found), kind)
	}
	return found[0]
}

// jobs are the two of a recipe: one that gets a token, and the nearest that does
// not, with the claims in which it differs.
type jobs struct {
	Login   string         // where they log in, auth/jwt unless given
	IDToken *bool          `json:"id_token"` // whether they present it, true unless given
	Role    string         // whose token they ask for
	Allowed map[string]any // claims
	Scope   string         // of the allowed job's token
	Refused map[string]any // claims that differ
	Rule    string         // that refuses
}

// printedJobs reads a recipe's block of jobs, in which nothing may be missing.
func (k *kitchen) printedJobs(block string) jobs {
	k.t.Helper()
	decoder := json.NewDecoder(strings.NewReader(os.Expand(k.inThisWorld(block), k.variable)))
	decoder.DisallowUnknownFields()
	printed := jobs{Login: "auth/" + k.auth}
	if err := decoder.Decode(&printed); err != nil {
		k.t.Fatal(err)
	}
	if printed.Role == "" || printed.Scope == "" || printed.Rule == "" || len(printed.Allowed) == 0 || len(printed.Refused) == 0 {
		k.t.Fatal("the recipe does not have a role, an allowed job with its scope and a refused one with its rule")
	}
	return printed
}

// kitchen is a world in which recipes are run.
type kitchen struct {
	*world
	variables map[string]string
}

func newKitchen(t *testing.T, c cookbook) *kitchen {
	t.Helper()
	w := newWorld(t)
	w.github.AddRepository("acme", "modules", nil)
	k := &kitchen{world: w, variables: map[string]string{
		"ORGANIZATION": "acme", "CI_ISSUER": w.issuer.URL, "GITLAB_URL": w.issuer.URL, "BUILDKITE_URL": w.issuer.URL,
		"OWNER_ID": "600000001", "API_ID": fmt.Sprint(w.repositories["api"].ID),
		"VAULT_ADDR": vault.Addr, "VAULT_TOKEN": vault.RootToken, "HOME": t.TempDir(),
	}}
	k.putVaultOnPath()
	k.givePeopleALogin()
	k.run(c.block(t, "setup"))
	return k
}

func (k *kitchen) putVaultOnPath() {
	k.t.Helper()
	binary, err := filepath.Abs(vaultBinary())
	if err != nil {
		k.t.Fatal(err)
	}
	dir := k.t.TempDir()
	if err := os.Symlink(binary, filepath.Join(dir, "vault")); err != nil {
		k.t.Fatal(err)
	}
	k.variables["PATH"] = dir + string(os.PathListSeparator) + os.Getenv("PATH")
}

// givePeopleALogin mounts what the cookbook takes for granted as auth/oidc. A
// person's login in a browser gives an alias and groups as this one does.
func (k *kitchen) givePeopleALogin() {
	k.t.Helper()
	oidc := k.auth + "-oidc"
	k.write("sys/auth/"+oidc, map[string]any{"type": "jwt"})
	k.write("auth/"+oidc+"/config", map[string]any{"oidc_discovery_url": k.issuer.URL, "bound_issuer": k.issuer.URL})
	k.write("auth/"+oidc+"/role/ci", map[string]any{
		"role_type": "jwt", "bound_audiences": "vault", "user_claim": "email", "groups_claim": "groups",
		"token_policies": k.auth,
	})
}

func (k *kitchen) variable(name string) string { return k.variables[name] }

// A world shares its Vault with others, so what the cookbook names for the whole
// of a Vault has the world's name here.
var (
	engineNames = regexp.MustCompile(`(^|[\s"=])github(/|-jobs\b)`)
	jwtMount    = regexp.MustCompile(`\bauth/jwt\b`)
	otherMounts = regexp.MustCompile(`(\bauth/|-path=)(gitlab|buildkite|oidc)\b`)
)

func (k *kitchen) inThisWorld(text string) string {
	text = engineNames.ReplaceAllString(text, "${1}"+k.mount+"$2")
	text = jwtMount.ReplaceAllString(text, "auth/"+k.auth)
	return otherMounts.ReplaceAllString(text, "${1}"+k.auth+"-$2")
}

// run runs a block of commands as an administrator, and returns what they print.
func (k *kitchen) run(block string) string {
	k.t.Helper()
	bash := exec.CommandContext(k.t.Context(), "bash", "-euo", "pipefail", "-c", k.inThisWorld(block))
	for name, value := range k.variables {
		bash.Env = append(bash.Env, name+"="+value)
	}
	out, err := bash.CombinedOutput()
	if err != nil {
		k.t.Fatalf("%s\n%s\n%s", block, err, out)
	}
	return string(out)
}

// ask logs a job in and asks for the role's token.
func (k *kitchen) ask(printed jobs, claims map[string]any) vaulttest.Answer {
	k.t.Helper()
	claims["aud"] = "vault"
	idToken := k.issuer.Sign(claims)
	login := vault.Client("").Post(k.t, printed.Login+"/login", map[string]any{"role": "ci", "jwt": idToken})
	job := identifiedJob{vault.Client(login.Secret(k.t).Auth.ClientToken), idToken}
	if printed.IDToken != nil && !*printed.IDToken {
		idToken = ""
	}
	return k.present(job, printed.Role, idToken)
}

func TestCookbookRecipes(t *testing.T) {
	t.Parallel()
	book := readCookbook(t)
	for _, recipe := range book.section(t, "Recipes") {
		t.Run(recipe.heading(), func(t *testing.T) {
			t.Parallel()
			k := newKitchen(t, book)
			if out := k.run(recipe.block(t, "recipe")); strings.Contains(out, "WARNING") {
				t.Errorf("the recipe is warned of:\n%s", out)
			}
			printed := k.printedJobs(recipe.block(t, "jobs"))
			if scope := k.ask(printed, maps.Clone(printed.Allowed)).Secret(t).Data["scope"]; scope != printed.Scope {
				t.Errorf("the allowed job got %q, not %q", scope, printed.Scope)
			}
			claims := maps.Clone(printed.Allowed)
			maps.Copy(claims, printed.Refused)
			wantError(t, k.ask(printed, claims), http.StatusForbidden, fmt.Sprintf("role %q: %s: wanted", printed.Role, printed.Rule))
			k.wantMinted(1)
		})
	}
}

func TestCookbookWarnings(t *testing.T) {
	t.Parallel()
	book := readCookbook(t)
	k := newKitchen(t, book)
	for _, warning := range book.section(t, "Warnings, and the better form") {
		t.Run(warning.heading(), func(t *testing.T) {
			k := &kitchen{k.in(t), k.variables}
			_, quoted, _ := strings.Cut(string(warning), "\n> ")
			quoted, _, _ = strings.Cut(quoted, "\n")
			if out := k.run(warning.block(t, "warned")); !strings.Contains(unwrapped(out), quoted) || quoted == "" {
				t.Errorf("the warning does not say %q:\n%s", quoted, out)
			}
			if out := k.run(warning.block(t, "better")); strings.Contains(out, "WARNING") {
				t.Errorf("the better form is warned of:\n%s", out)
			}
			for _, role := range []string{"warned", "better"} {
				k.root.Delete(t, k.path("roles/"+role))
			}
		})
	}
}

// unwrapped is a text in one line: the vault command breaks long ones.
func unwrapped(text string) string { return strings.Join(strings.Fields(text), " ") }
