package main

import (
	"context"
	"io"
	"net/url"

	"vault-plugin-secrets-github/internal/gitcredential"
)

// credentialStore is where the credential helper has tokens from.
type credentialStore interface {
	// credential is for a repository, OWNER/NAME, or for all that the role
	// gives if it is empty.
	credential(ctx context.Context, repository string) (gitcredential.Credential, error)
	// erase revokes a token that git says is not taken.
	erase(ctx context.Context, token string) error
}

// answerGit does one operation of git's credential-helper protocol. Nothing is
// answered for any server but the one: git then asks the next helper. A failure
// tells git to ask nobody else, and least of all a terminal that no one sits at.
func answerGit(ctx context.Context, server *url.URL, store credentialStore, operation string, in io.Reader, out io.Writer) error {
	asked, err := gitcredential.Read(in)
	if err != nil || !asked.IsFor(server) {
		return err
	}
	switch operation {
	case "get":
		if err := answerGet(ctx, asked, store, out); err != nil {
			_ = gitcredential.WriteQuit(out) // git gave up itself if it does not listen
			return err
		}
	case "erase":
		if asked.Password != "" {
			return store.erase(ctx, asked.Password)
		}
	}
	return nil // store: what we gave we have; and operations to come are to be ignored
}

func answerGet(ctx context.Context, asked gitcredential.Request, store credentialStore, out io.Writer) error {
	repository, _, err := asked.Repository()
	if err != nil {
		return err
	}
	credential, err := store.credential(ctx, repository)
	if err != nil {
		return err
	}
	return credential.Write(out)
}
