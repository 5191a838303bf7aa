package clients

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/vault/api"
	"go.yaml.in/yaml/v3"
)

// posix is the shell of the jobs of docs/ci/plain-runner.md.
var posix = []string{"sh", "-ec"}

func TestRunnerWithAClientCertificate(t *testing.T) {
	t.Parallel()
	vaultCA, runnerCA := newAuthority(t, "vault-ca"), newAuthority(t, "runner-ca")
	address := freeAddress(t)
	certFile, keyFile := vaultCA.issue("vault.example")
	w := newWorld(t, fmt.Sprintf(`listener "tcp" {
  address         = %q
  cluster_address = "127.0.0.1:0"
  tls_cert_file   = %q
  tls_key_file    = %q
}
`, address, certFile, keyFile))
	p := readPage(t, "docs/ci/plain-runner.md")
	w.setUp(p, map[string]string{"ORGANIZATION": "acme", "RUNNER_CA": runnerCA.file}, "all", "cert")
	run := func(ca *authority, name string) outcome {
		cert, key := ca.issue(name)
		return w.run(job{shell: posix, script: p.block("run", "cert"), env: map[string]string{
			"VAULT_ADDR": "https://" + address, "VAULT_CACERT": vaultCA.file, "RUNNER_CERT": cert, "RUNNER_KEY": key,
		}})
	}
	w.wantClone(run(runnerCA, "build-1.runners.acme.example"))
	w.wantRefused(run(runnerCA, "build-2.runners.acme.example"), p.block("error", "cert"))
	w.wantRefused(run(runnerCA, "build-1.acme.example"), "failed to match all constraints for this login certificate")
	w.wantRefused(run(newAuthority(t, "other-ca"), "build-1.runners.acme.example"), "failed to match all constraints for this login certificate")
}

// freeAddress is a loopback address that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

const serviceAccountUID = "4d2b8a3c-0f6c-4e57-8d0b-6a1f9b7c2e10"

// serviceAccountClaims are those of a token that Kubernetes projects into a pod.
//
// https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#bound-service-account-tokens
func serviceAccountClaims(name, node string) map[string]any {
	return map[string]any{
		"sub": "system:serviceaccount:runners:" + name, "aud": []string{"vault"},
		"kubernetes.io": map[string]any{
			"namespace":      "runners",
			"serviceaccount": map[string]any{"name": name, "uid": serviceAccountUID},
			"pod":            map[string]any{"name": "build", "uid": "a7c1e0d2-1b3f-4b8e-9d55-52d1f0a6c3b4"},
			"node":           map[string]any{"name": node, "uid": "0c9d7e6f-2a4b-4c8d-8e1f-3b5a7d9c1e2f"},
		},
	}
}

// cluster is what Vault asks of the API of Kubernetes: whether a token is good.
type cluster struct {
	*httptest.Server
	reviewer   string // the token of who may ask
	podDeleted atomic.Bool
}

func newCluster(t *testing.T, reviewer string) *cluster {
	t.Helper()
	c := &cluster{reviewer: reviewer}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /apis/authentication.k8s.io/v1/tokenreviews", c.reviewToken)
	c.Server = httptest.NewTLSServer(mux)
	t.Cleanup(c.Close)
	return c
}

// caFile is the certificate to trust.
func (c *cluster) caFile(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubernetes-ca.pem")
	writeFile(t, file, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate().Raw})))
	return file
}

// reviewToken takes every token for the one of the service account ci, as long as
// its pod is there.
//
// https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-review-v1/
func (c *cluster) reviewToken(rw http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+c.reviewer {
		http.Error(rw, "the reviewer is unknown", http.StatusUnauthorized)
		return
	}
	var review map[string]any
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	spec, _ := review["spec"].(map[string]any)
	review["status"] = map[string]any{
		"authenticated": !c.podDeleted.Load(), "audiences": spec["audiences"],
		"user": map[string]any{
			"username": "system:serviceaccount:runners:ci", "uid": serviceAccountUID,
			"groups": []string{"system:serviceaccounts", "system:serviceaccounts:runners", "system:authenticated"},
		},
	}
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(rw).Encode(review) // an error means that Vault has hung up
}

func TestPodByTokenReview(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), readPage(t, "docs/ci/plain-runner.md")
	w.provideKubernetesAuth()
	reviewer := filepath.Join(t.TempDir(), "reviewer.jwt")
	writeFile(t, reviewer, w.issuer.Sign(serviceAccountClaims("vault-reviewer", "build-node-1")))
	kubernetes := newCluster(t, readFile(t, reviewer))
	w.setUp(p, map[string]string{
		"ORGANIZATION": "acme", "KUBERNETES_HOST": kubernetes.URL,
		"KUBERNETES_CA": kubernetes.caFile(t), "REVIEWER_JWT": reviewer,
	}, "all", "kubernetes")
	script := podScript(t, p.block("file", "pod.yaml"))
	w.wantClone(w.runPod(script, serviceAccountClaims("ci", "build-node-1")))
	w.wantRefused(w.runPod(script, serviceAccountClaims("default", "build-node-1")), p.block("error", "kubernetes"))
	kubernetes.podDeleted.Store(true)
	w.wantRefused(w.runPod(script, serviceAccountClaims("ci", "build-node-1")), "permission denied")
}

func TestPodByTheClustersIssuer(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), readPage(t, "docs/ci/plain-runner.md")
	w.setUp(p, map[string]string{"ORGANIZATION": "acme", "CLUSTER_ISSUER": w.issuer.URL}, "all", "cluster-issuer")
	script := p.block("run", "cluster-issuer")
	w.wantClone(w.runPod(script, serviceAccountClaims("ci", "build-node-1")))
	w.wantRefused(w.runPod(script, serviceAccountClaims("ci", "build-node-2")), p.block("error", "node"))
	w.wantRefused(w.runPod(script, serviceAccountClaims("default", "build-node-1")), "invalid subject (sub) claim")
}

// runPod runs a script in a pod whose token has the claims.
func (w *world) runPod(script string, claims map[string]any) outcome {
	w.t.Helper()
	file := filepath.Join(w.t.TempDir(), "id-token")
	writeFile(w.t, file, w.issuer.Sign(claims))
	return w.run(job{shell: posix, script: script, env: map[string]string{"ID_TOKEN_FILE": file}})
}

// podScript is the script of a pod's one container, whose token is for Vault.
func podScript(t *testing.T, manifest string) string {
	t.Helper()
	var pod struct {
		Spec struct {
			Containers []struct{ Command, Args []string }
		}
	}
	if err := yaml.Unmarshal([]byte(manifest), &pod); err != nil {
		t.Fatal(err)
	}
	c := pod.Spec.Containers[0]
	if strings.Join(c.Command, " ") != strings.Join(posix, " ") || len(c.Args) != 1 || !strings.Contains(manifest, "audience: vault") {
		t.Fatalf("the pod does not run a script with a token for Vault: %+v", c)
	}
	return c.Args[0]
}

// provideKubernetesAuth gives Vault its own Kubernetes auth method as a plugin,
// if it lacks it: the Vault that make vault builds is small.
func (w *world) provideKubernetesAuth() {
	w.t.Helper()
	if w.vault.Root().Get(w.t, "sys/plugins/catalog/auth/kubernetes").Status == http.StatusOK {
		return
	}
	const name = "vault-plugin-auth-kubernetes"
	file := filepath.Join(w.t.TempDir(), name)
	build := exec.CommandContext(w.t.Context(), "go", "build", "-o", file, "github.com/hashicorp/"+name+"/cmd/"+name)
	build.Dir = filepath.Join(root, "tools", "vault")
	if out, err := build.CombinedOutput(); err != nil {
		w.t.Fatalf("build %s: %v\n%s", name, err, out)
	}
	installed, err := w.vault.InstallPlugin(file, name)
	if err != nil {
		w.t.Fatal(err)
	}
	client, err := w.vault.Root().API()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := client.Sys().RegisterPlugin(&api.RegisterPluginInput{
		Name: "kubernetes", Type: api.PluginTypeCredential, Command: installed.Command, SHA256: installed.SHA256,
	}); err != nil {
		w.t.Fatal(err)
	}
}
