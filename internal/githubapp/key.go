package githubapp

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// minKeyBits is the least that RFC 7518, section 3.3 allows for RS256.
const minKeyBits = 2048

// ParsePrivateKey reads the RSA private key of an App, as GitHub hands it out
// (PKCS#1) or converted to PKCS#8. Its errors say what the text is instead.
func ParsePrivateKey(text string) (*rsa.PrivateKey, error) {
	block, rest := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("it is not a PEM block; give the whole .pem file that GitHub made, with its BEGIN and END lines")
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("there is text after the PEM block; give one key and nothing else")
	}
	if !strings.HasPrefix(strings.TrimSpace(text), "-----BEGIN") {
		return nil, errors.New("there is text before the PEM block; give one key and nothing else")
	}
	key, err := parseBlock(block)
	if err != nil {
		return nil, err
	}
	if bits := key.N.BitLen(); bits < minKeyBits {
		return nil, fmt.Errorf("it is an RSA key of %d bits; GitHub's have 2048, and less is not safe", bits)
	}
	if err := key.Validate(); err != nil {
		return nil, errors.New("it is an RSA private key whose numbers do not fit together; download it again")
	}
	return key, nil
}

func parseBlock(block *pem.Block) (*rsa.PrivateKey, error) {
	if block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
		return nil, errors.New("it is encrypted with a passphrase; decrypt it first (openssl rsa -in KEY -out PLAIN)")
	}
	switch block.Type {
	case "RSA PRIVATE KEY":
		return parsePKCS1(block.Bytes)
	case "PRIVATE KEY":
		return parsePKCS8(block.Bytes)
	case "PUBLIC KEY", "RSA PUBLIC KEY":
		return nil, errors.New("it is a public key; give the App's private key")
	case "EC PRIVATE KEY":
		return nil, errors.New("it is an EC key, not an RSA key")
	default:
		return nil, fmt.Errorf("it is a PEM block of type %q, not an RSA private key", block.Type)
	}
}

func parsePKCS1(der []byte) (*rsa.PrivateKey, error) {
	key, err := x509.ParsePKCS1PrivateKey(der)
	if err != nil {
		return nil, errors.New("it is labelled as an RSA private key, but is damaged")
	}
	return key, nil
}

func parsePKCS8(der []byte) (*rsa.PrivateKey, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errors.New("it is labelled as a PKCS#8 private key, but is damaged or of an unknown kind")
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		kind := strings.TrimPrefix(strings.SplitN(fmt.Sprintf("%T", parsed), ".", 2)[0], "*")
		return nil, fmt.Errorf("it is an %s key, not an RSA key", kind)
	}
	return key, nil
}

// Fingerprint is the key's as GitHub shows it on the App's page: the base64 of
// the SHA-256 of the DER-encoded public key.
func Fingerprint(key *rsa.PrivateKey) string {
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		// The one error is a key of an unknown type; this one is RSA.
		panic(err)
	}
	sum := sha256.Sum256(der)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// HashToken is GitHub's hashed_token: the base64 of the SHA-256 of the token,
// as in its audit log.
func HashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.StdEncoding.EncodeToString(sum[:])
}
