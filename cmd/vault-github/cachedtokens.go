package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"vault-plugin-secrets-github/internal/gitcredential"
	"vault-plugin-secrets-github/internal/jobtoken"
)

// cachedTokens is the credential store of a helper that no exec stands behind.
type cachedTokens struct {
	config jobtoken.Config
	role   string
	files  *cache // nil if nothing is kept
	mask   func(token string)
}

// credential implements credentialStore.
func (s *cachedTokens) credential(ctx context.Context, repository string) (gitcredential.Credential, error) {
	if s.files == nil {
		saved, err := s.mint(ctx, repository)
		return asCredential(saved), err
	}
	unlock, err := s.files.lock()
	if err != nil {
		return gitcredential.Credential{}, err
	}
	defer unlock()
	file := s.files.file(s.key(repository))
	saved, err := s.files.load(file)
	if err != nil {
		return gitcredential.Credential{}, err
	}
	if saved != nil && saved.Fresh() {
		return asCredential(*saved), nil
	}
	made, err := s.mint(ctx, repository)
	if err != nil {
		return gitcredential.Credential{}, err
	}
	if err := s.files.save(file, made); err != nil {
		return gitcredential.Credential{}, errors.Join(fmt.Errorf("keep the token: %w", err), s.config.Revoke(ctx, made))
	}
	return asCredential(made), nil
}

func (s *cachedTokens) mint(ctx context.Context, repository string) (jobtoken.Saved, error) {
	lease, err := s.config.Mint(ctx, s.role, narrowed(jobtoken.Request{}, repository))
	if err != nil {
		return jobtoken.Saved{}, err
	}
	s.mask(lease.Token())
	return lease.Save(), nil
}

// key is what tells tokens of one user apart: whose they are and for what. The
// CI's id of the job is part of it, so that a directory that outlives a job
// gives its tokens to no other.
func (s *cachedTokens) key(repository string) string {
	vault := s.config.Vault
	parts := []string{vault.Address(), vault.Namespace(), s.config.Mount, s.config.AuthPath, s.config.AuthRole, s.role, strings.ToLower(repository)}
	for _, variable := range jobVariables {
		parts = append(parts, os.Getenv(variable))
	}
	return strings.Join(parts, "\x00")
}

// jobVariables name the job in the CIs that are known.
var jobVariables = []string{
	"GITHUB_RUN_ID", "GITHUB_RUN_ATTEMPT", "GITHUB_JOB", // GitHub Actions
	"CI_JOB_ID",              // GitLab CI
	"BUILDKITE_JOB_ID",       // Buildkite
	"CIRCLE_WORKFLOW_JOB_ID", // CircleCI
	"BUILD_TAG",              // Jenkins
}

func asCredential(saved jobtoken.Saved) gitcredential.Credential {
	return gitcredential.Credential{Username: gitUser, Password: saved.Token, Expires: saved.Ends}
}

// erase implements credentialStore.
func (s *cachedTokens) erase(ctx context.Context, token string) error {
	return s.files.revoke(ctx, s.config, func(saved jobtoken.Saved) bool { return saved.Token == token })
}
