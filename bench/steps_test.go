// Package bench holds benchmarks of single steps of an issuance.
package bench

import (
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"vault-plugin-secrets-github/internal/githubapp"
	"vault-plugin-secrets-github/internal/githubtest"
	"vault-plugin-secrets-github/internal/policy"
)

// newClient is of an App on the organization acme with so many repositories.
func newClient(b *testing.B, repositories int) (*githubapp.Client, int64, githubapp.TokenRequest) {
	b.Helper()
	github := githubtest.New(b, githubtest.WithoutValidation())
	app := github.AddApp("ci-broker", map[string]string{"contents": "read"})
	github.AddOrganization("acme")
	request := githubapp.TokenRequest{Permissions: map[string]string{"contents": "read"}}
	for i := range repositories {
		name := fmt.Sprintf("repository-%03d", i)
		github.AddRepository("acme", name, nil)
		request.Repositories = append(request.Repositories, name)
	}
	installation := github.Install(app, "acme", githubtest.InstallOptions{RepositorySelection: "all", Permissions: map[string]string{"contents": "read"}})
	key, err := githubapp.ParsePrivateKey(app.PrivateKeyPEM())
	if err != nil {
		b.Fatal(err)
	}
	custodian := githubapp.NewCustodian(hclog.NewNullLogger())
	b.Cleanup(func() { custodian.Close(b.Context()) })
	client, err := githubapp.New(githubapp.Config{
		Endpoint: githubapp.Endpoint{BaseURL: github.APIURL, RequestTimeout: 10 * time.Second},
		ClientID: app.ClientID, Key: key, UserAgent: "bench", Custodian: custodian,
	})
	if err != nil {
		b.Fatal(err)
	}
	return client, installation.ID, request
}

// BenchmarkMint is one exchange with GitHub, whose side runs in this process too.
func BenchmarkMint(b *testing.B) {
	for _, repositories := range []int{1, 500} {
		b.Run(fmt.Sprintf("repositories=%d", repositories), func(b *testing.B) {
			client, installation, request := newClient(b, repositories)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := client.Mint(b.Context(), installation, request); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkVerifyAnswer compares GitHub's answer with what was asked.
func BenchmarkVerifyAnswer(b *testing.B) {
	grant := policy.Grant{Permissions: map[string]string{"contents": "read"}}
	answer := policy.Answer{Permissions: map[string]string{"contents": "read", "metadata": "read"}}
	for i := range 500 {
		name := fmt.Sprintf("repository-%03d", i)
		grant.Repositories = append(grant.Repositories, name)
		answer.Repositories = append(answer.Repositories, policy.Repository{ID: int64(i + 1), Name: name})
	}
	for b.Loop() {
		if err := grant.Verify(answer); err != nil {
			b.Fatal(err)
		}
	}
}
