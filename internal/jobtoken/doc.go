// Package jobtoken gets GitHub tokens from the engine for a CI job: it logs in
// to Vault, mints, keeps the lease alive, and revokes.
//
// A lease ends with the Vault token that made it. So each minted token has a
// login of its own, and revoking that login's Vault token, which every Vault
// token may do, ends everything that came of it.
package jobtoken
