// Command fake-github serves a fake GitHub with a small world in it, for demos
// and end-to-end tests. See internal/githubtest for the rules that it keeps.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"

	"vault-plugin-secrets-github/internal/githubtest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "fake-github:", err)
		os.Exit(1)
	}
}

const usage = `fake-github serves a fake GitHub until it is told to end (SIGINT, SIGTERM).

Its world: the App ci-broker, installed with all repositories on the
organization acme (repositories api, web, secret-plans) and on the user octocat
(repository hello). Once it listens it writes to the directory:
  app.private-key.pem   the App's private key
  fake-github.json      api_url, url, app_id, client_id, private_key_file,
                        organization, installation_id, pid

To look at it and to make it fail:
  GET    /_fake/tokens     the live tokens, by hash, with what they are good for
  GET    /_fake/audit-log  GitHub's audit log of what was done with tokens, as it
                           exports it; with ?format=ndjson an object a line
  POST   /_fake/faults     {"match": "POST /app/installations/{installation_id}/access_tokens",
                            "status": 502, "times": 1}; see fault in control.go
  DELETE /_fake/faults     ends all faults

Flags:
`

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("fake-github", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:0", "`address` to listen on; port 0 takes a free one")
	dir := flags.String("dir", "", "`directory` for the key and the addresses, made if it is not there (required)")
	verbose := flags.Bool("verbose", false, "print a line for each request")
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), usage)
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *dir == "" || flags.NArg() > 0 {
		return errors.New("give -dir DIRECTORY, and no other arguments; -h explains")
	}

	log.SetPrefix("fake-github: ")
	options := []githubtest.Option{
		githubtest.WithListenAddress(*listen),
		githubtest.WithAuditLog(),
		githubtest.WithViolationHandler(func(err error) { log.Print("against GitHub's OpenAPI description: ", err) }),
	}
	if *verbose {
		options = append(options, githubtest.WithRequestLog(logRequest))
	}
	server, err := githubtest.Start(options...)
	if err != nil {
		return err
	}
	defer server.Close()

	serveControl(server)
	if err := seed(server).write(*dir); err != nil {
		return err
	}
	log.Print("listening on ", server.URL)
	<-ctx.Done()
	return nil
}

func logRequest(method, path string, status int) {
	if status == 0 {
		log.Printf("%s %s: connection cut", method, path)
		return
	}
	log.Printf("%s %s: %d", method, path, status)
}
