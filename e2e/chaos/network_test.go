package chaos

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"vault-plugin-secrets-github/e2e/vaulttest"
)

// network is the way from the engine to GitHub: it passes connections on, unless
// it is down and refuses them.
type network struct {
	// Addr is where the engine finds GitHub, host:port.
	Addr string

	to       string
	listener net.Listener
	accepted sync.WaitGroup
	mu       sync.Mutex
	open     map[net.Conn]bool
}

// newNetwork leads to an address, until the test ends.
func newNetwork(t *testing.T, to string) *network {
	t.Helper()
	n := &network{Addr: "127.0.0.1:0", to: to, open: map[net.Conn]bool{}}
	n.up(t)
	n.Addr = n.listener.Addr().String()
	t.Cleanup(n.down)
	return n
}

// up takes connections from now on.
func (n *network) up(t *testing.T) {
	t.Helper()
	// Somebody may have been given the port meanwhile.
	vaulttest.Eventually(t, recoveryLimit, func() (err error) {
		n.listener, err = net.Listen("tcp", n.Addr)
		return err
	})
	n.accepted.Go(func() { n.accept(n.listener) })
}

// down cuts every connection and refuses new ones.
func (n *network) down() {
	n.listener.Close()
	n.mu.Lock()
	for conn := range n.open {
		conn.Close()
	}
	n.mu.Unlock()
	n.accepted.Wait()
}

func (n *network) accept(listener net.Listener) {
	for {
		client, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			n.accepted.Go(func() { n.pass(client) })
		}
	}
}

// pass carries one connection until either side ends it.
func (n *network) pass(client net.Conn) {
	defer n.track(client)()
	server, err := net.DialTimeout("tcp", n.to, time.Second)
	if err != nil {
		return
	}
	defer n.track(server)()
	var answers sync.WaitGroup
	answers.Go(func() {
		_, _ = io.Copy(client, server) // an error means that a side has left
		client.Close()
	})
	_, _ = io.Copy(server, client)
	server.Close()
	answers.Wait()
}

// track remembers a connection until it is closed.
func (n *network) track(conn net.Conn) (end func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.open[conn] = true
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.open, conn)
		conn.Close()
	}
}
