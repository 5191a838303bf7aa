// Package githubapp talks to GitHub as a GitHub App: it signs the App's JWT,
// finds installations, and mints and revokes installation tokens. It is the
// only code of this project that talks to GitHub, and it knows nothing of Vault.
//
// A token never leaves this package without somebody to hold it: what
// [Client.Mint] cannot hand over, it revokes.
package githubapp
