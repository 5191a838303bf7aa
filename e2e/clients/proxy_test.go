package clients

import (
	"fmt"
	"net"
	"testing"

	"vault-plugin-secrets-github/e2e/vaulttest"
)

// proxy is a running Vault Proxy, as a job asks it.
type proxy struct {
	*world
	*daemon
	script string
}

// startProxy runs the proxy of docs/clients.md by one of its commands.
func startProxy(w *world, p *page, command string) *proxy {
	w.t.Helper()
	running := &proxy{w, w.start(p.block("run", command), map[string]string{
		"proxy.hcl": p.block("file", "proxy.hcl"), "cache.hcl": p.block("file", "cache.hcl"),
		"id-token": w.issuer.Sign(w.pushToMain()),
	}), p.block("run", "proxied")}
	vaulttest.Eventually(w.t, patience, func() error {
		if _, err := running.read(); err != nil {
			return fmt.Errorf("%w\n%s", err, running.log)
		}
		return nil
	})
	return running
}

// read reads a token as a job beside the proxy does, without a Vault token.
func (p *proxy) read() (string, error) {
	if c, err := net.Dial("unix", p.path("vault-proxy.sock")); err != nil {
		return "", err
	} else if err := c.Close(); err != nil {
		return "", err
	}
	c := p.command("bash", "-c", p.script)
	c.Dir = p.cmd.Dir
	out, err := c.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return string(out), nil
}

func (p *proxy) mustRead() string {
	p.world.t.Helper()
	token, err := p.read()
	if err != nil {
		p.world.t.Fatal(err)
	}
	return token
}

func TestProxyGivesEachReadATokenOfItsOwn(t *testing.T) {
	t.Parallel()
	w, p := newClientWorld(t)
	proxy := startProxy(w, p, "proxy")
	wantPrivate(t, proxy.path("vault-proxy.sock"))
	first, second := proxy.mustRead(), proxy.mustRead()
	w.wantLive(first)
	w.wantLive(second)
	if first == second {
		t.Error("two reads gave the same token")
	}
}

func TestProxysCacheSharesTheTokenOfALease(t *testing.T) {
	t.Parallel()
	w, p := newClientWorld(t)
	proxy := startProxy(w, p, "cached-proxy")
	first := proxy.mustRead()
	if proxy.mustRead() != first {
		t.Error("the cache did not give the same token")
	}
	w.wantLive(first)
	w.wantMinted(1)

	// Revoked past the proxy, the lease is still in its cache, and the token in it
	// is dead. docs/clients.md warns of it.
	w.revokeLeases()
	if proxy.mustRead() != first {
		t.Error("the cache knows of a lease that was revoked: docs/clients.md says that it does not")
	}
}

// revokeLeases revokes, as an administrator does, the leases of the page's role,
// and waits for the tokens to end.
func (w *world) revokeLeases() {
	w.t.Helper()
	o := w.run(job{shell: shell, script: "vault lease revoke -prefix -sync github/token/ci", env: map[string]string{"VAULT_TOKEN": w.vault.RootToken}})
	if !o.ok {
		w.t.Fatal(o.output)
	}
	w.awaitLiveTokens(0)
}
