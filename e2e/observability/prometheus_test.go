package observability

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"vault-plugin-secrets-github/e2e/vaulttest"
)

// prometheus is a real one, with the committed configuration but for addresses,
// files and intervals.
type prometheus struct{ url string }

// startPrometheus lets it scrape every node.
func startPrometheus(t *testing.T, dir string) *prometheus {
	t.Helper()
	address := freeAddress(t)
	p := &prometheus{url: "http://" + address}
	log, err := os.Create(filepath.Join(dir, "prometheus.log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("prometheus", "--config.file="+filepath.Join(dir, "prometheus.yml"),
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address, "--log.level=warn")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed
		_ = log.Close()
		if text, err := os.ReadFile(log.Name()); t.Failed() && err == nil {
			t.Logf("Prometheus' log:\n%s", text)
		}
	})
	vaulttest.Eventually(t, 20*time.Second, func() error { return p.get("/-/ready", nil) })
	return p
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// deploy copies deploy/observability into dir for this cluster, in which
// everything happens in seconds.
func deploy(t *testing.T, dir string) {
	t.Helper()
	var targets []string
	for _, n := range cluster.Nodes {
		targets = append(targets, strings.TrimPrefix(n.Addr, "http://"))
	}
	adapt(t, dir, "prometheus.yml", func(text string) string {
		text = regexp.MustCompile(`(?m)^    tls_config:\n +ca_file: .*\n`).ReplaceAllString(text, "")
		return strings.NewReplacer(
			"VAULT-1:8200, VAULT-2:8200, VAULT-3:8200", strings.Join(targets, ", "),
			"scheme: https", "scheme: http", "/etc/prometheus/", dir+"/", ": 30s", ": 1s").Replace(text)
	})
	adapt(t, dir, "alerts.yml", func(text string) string {
		return regexp.MustCompile(`(?m)^( +for:) .*$`).ReplaceAllString(text, "$1 0s")
	})
}

func adapt(t *testing.T, dir, name string, change func(string) string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(deployed, name))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), []byte(change(string(text))), 0o600); err != nil {
		t.Fatal(err)
	}
}

// writeToken runs the block of docs/operations.md that makes Prometheus' token.
func writeToken(t *testing.T, dir string) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(root, "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "<!-- observability: token -->\n```sh\n")
	block, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("docs/operations.md has no block observability: token")
	}
	cmd := exec.Command("bash", "-euc", "vault() { \"$VAULT_BIN\" \"$@\"; }\n"+strings.ReplaceAll(block, "/etc/prometheus/", dir+"/"))
	cmd.Env = append(os.Environ(), "VAULT_BIN="+vaulttest.Binary(filepath.Join(bin, "vault")), "VAULT_ADDR="+cluster.Nodes[0].Addr,
		"VAULT_TOKEN="+cluster.RootToken, "HOME="+dir)
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
}

// get asks Prometheus' API.
func (p *prometheus) get(path string, into any) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+path, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: status %d: %s", path, response.StatusCode, body)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(body, into)
}

// query is the values of an expression now.
func (p *prometheus) query(expression string) ([]string, error) {
	var answer struct {
		Data struct {
			Result []struct {
				Value [2]any `json:"value"`
			} `json:"result"`
		} `json:"data"`
	}
	if err := p.get("/api/v1/query?query="+url.QueryEscape(expression), &answer); err != nil {
		return nil, err
	}
	var values []string
	for _, r := range answer.Data.Result {
		values = append(values, fmt.Sprint(r.Value[1]))
	}
	return values, nil
}
