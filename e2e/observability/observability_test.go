package observability

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-github/e2e/vaulttest"
)

// patience is how long Prometheus may take to scrape twice and compute a rate.
const patience = 45 * time.Second

func TestPrometheusSeesTheEngine(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	writeToken(t, dir)
	deploy(t, dir)
	promtool(t, "check", "config", filepath.Join(dir, "prometheus.yml"))
	p := startPrometheus(t, dir)
	vaulttest.Eventually(t, patience, func() error { return wantValues(p, `count(vault_github_build_info)`, "3") })
	w.traffic()
	vaulttest.Eventually(t, patience, func() error { return wantSome(p, `vault_github_github_request_duration_seconds_count`) })
	w.traffic() // a rate needs two points
	w.lose()

	t.Run("each node answers for the active one, and is counted once", func(t *testing.T) {
		vaulttest.Eventually(t, patience, func() error {
			return wantValues(p, `sum(max without (instance) (vault_github_tokens_issued_total))`, fmt.Sprint(w.issued))
		})
		if err := wantValues(p, `count(up{job="vault-github"} == 1)`, "3"); err != nil {
			t.Error(err)
		}
	})
	t.Run("every query of the dashboard has data", func(t *testing.T) { dashboardHasData(t, w, p) })
	t.Run("every alert is evaluated, and the one for a GitHub that is gone fires", func(t *testing.T) { alertsWork(t, w, p) })
}

// dashboardHasData asks every query of the dashboard as Grafana would.
func dashboardHasData(t *testing.T, w *world, p *prometheus) {
	queries := dashboardQueries(t)
	if len(queries) < 30 {
		t.Fatalf("%d queries; is it the dashboard?", len(queries))
	}
	filled := strings.NewReplacer("$__rate_interval", "10s", "$__range", "5m", "$mount", ".*", "$app", ".*", "$role", ".*")
	for title, expression := range queries {
		vaulttest.Eventually(t, patience, func() error {
			err := wantSome(p, filled.Replace(expression))
			if err != nil {
				w.traffic()
				return fmt.Errorf("panel %s: %w", title, err)
			}
			return nil
		})
	}
}

func dashboardQueries(t *testing.T) map[string]string {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ RefID, Expr string }
		}
	}
	text, err := os.ReadFile(filepath.Join(deployed, "dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	queries := map[string]string{}
	for i, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			queries[fmt.Sprintf("%d %s %s", i, panel.Title, target.RefID)] = target.Expr
		}
	}
	return queries
}

func alertsWork(t *testing.T, w *world, p *prometheus) {
	var rules struct {
		Data struct {
			Groups []struct {
				Rules []struct {
					Name, State, Health, LastError string
				}
			}
		}
	}
	vaulttest.Eventually(t, patience, func() error {
		w.lose() // else the breaker half-opens for good
		if err := p.get("/api/v1/rules", &rules); err != nil {
			return err
		}
		states := map[string]string{}
		for _, r := range rules.Data.Groups[0].Rules {
			if r.Health != "ok" {
				return fmt.Errorf("%s: %s: %s", r.Name, r.Health, r.LastError)
			}
			states[r.Name] = r.State
		}
		if states["VaultGitHubBreakerOpen"] != "firing" || states["VaultGitHubMetricsAbsent"] != "inactive" {
			return fmt.Errorf("the states are %v", states)
		}
		return nil
	})
}

func wantValues(p *prometheus, expression string, want ...string) error {
	got, err := p.query(expression)
	if err == nil && !slices.Equal(got, want) {
		err = fmt.Errorf("%s is %q, want %q", expression, got, want)
	}
	return err
}

func wantSome(p *prometheus, expression string) error {
	got, err := p.query(expression)
	if err == nil && (len(got) == 0 || got[0] == "NaN") {
		err = fmt.Errorf("no data, %q: %s", got, expression)
	}
	return err
}

func TestRulesAsPromtoolSeesThem(t *testing.T) {
	t.Parallel()
	promtool(t, "check", "rules", "alerts.yml")
	promtool(t, "test", "rules", "alerts.test.yml")
}

// TestEveryAlertHasARunbookAndFiresInItsTest: an alert that nobody can act on, or
// that was never seen to fire, is worse than none.
func TestEveryAlertHasARunbookAndFiresInItsTest(t *testing.T) {
	t.Parallel()
	rules, tests, page := readFile(t, deployed, "alerts.yml"), readFile(t, deployed, "alerts.test.yml"), readFile(t, root, "docs", "operations.md")
	alerts := regexp.MustCompile(`(?s)- alert: (\w+)\n.*?runbook_url: docs/operations\.md#([a-z-]+)`).FindAllStringSubmatch(rules, -1)
	if names := strings.Count(rules, "- alert: "); len(alerts) != names || names < 10 {
		t.Fatalf("%d alerts, %d with a runbook", names, len(alerts))
	}
	for _, alert := range alerts {
		name, anchor := alert[1], alert[2]
		if !regexp.MustCompile(`alertname: ` + name + `\n +exp_alerts:`).MatchString(tests) {
			t.Errorf("no test sees %s fire", name)
		}
		if !strings.Contains(tests, "alertname: "+name+"}") {
			t.Errorf("no test sees %s silent", name)
		}
		heading := "### " + strings.ReplaceAll(anchor, "-", " ")
		i := strings.Index(strings.ToLower(page), heading+"\n")
		if i < 0 {
			t.Errorf("%s: docs/operations.md has no section %q", name, heading)
			continue
		}
		section, _, _ := strings.Cut(page[i+len(heading):], "\n### ")
		if !strings.Contains(section, name) {
			t.Errorf("the section %q does not name %s", heading, name)
		}
	}
}

func readFile(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func promtool(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.Command("promtool", args...)
	cmd.Dir = deployed
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, output)
	}
}
