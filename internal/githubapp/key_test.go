package githubapp

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"sync"
	"testing"
)

// testKey is made once: a 2048-bit key takes a while.
var testKey = sync.OnceValue(func() *rsa.PrivateKey { return newKey(2048) })

func newKey(bits int) *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return key
}

func pemText(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func pkcs1(key *rsa.PrivateKey) string {
	return pemText("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))
}

func pkcs8(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pemText("PRIVATE KEY", der)
}

func TestPrivateKeySaysWhatItIsInstead(t *testing.T) {
	t.Parallel()
	key := testKey()
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ecDER, err := x509.MarshalECPrivateKey(ec)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	legacy := strings.Replace(pkcs1(key), "-----\n", "-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0123456789ABCDEF0123456789ABCDEF\n\n", 1)
	tests := map[string]struct {
		text string
		err  string // a part of it; empty if the key is taken
	}{
		"PKCS#1":                     {pkcs1(key), ""},
		"PKCS#8":                     {pkcs8(t, key), ""},
		"Windows line ends":          {strings.ReplaceAll(pkcs1(key), "\n", "\r\n"), ""},
		"blank lines around":         {"\n\n" + pkcs1(key) + "\n\n", ""},
		"1024 bits":                  {pkcs1(newKey(1024)), "1024 bits"},
		"EC in PKCS#8":               {pkcs8(t, ec), "ecdsa key, not an RSA key"},
		"EC in SEC 1":                {pemText("EC PRIVATE KEY", ecDER), "an EC key"},
		"Ed25519":                    {pkcs8(t, ed), "ed25519 key, not an RSA key"},
		"public key":                 {pemText("PUBLIC KEY", public), "a public key"},
		"PKCS#1 public key":          {pemText("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&key.PublicKey)), "a public key"},
		"encrypted PKCS#8":           {pemText("ENCRYPTED PRIVATE KEY", []byte("x")), "encrypted"},
		"encrypted as OpenSSL 1 did": {legacy, "encrypted"},
		"certificate":                {pemText("CERTIFICATE", []byte("x")), `"CERTIFICATE"`},
		"OpenSSH key":                {pemText("OPENSSH PRIVATE KEY", []byte("x")), `"OPENSSH PRIVATE KEY"`},
		"damaged PKCS#1":             {pemText("RSA PRIVATE KEY", []byte("x")), "damaged"},
		"damaged PKCS#8":             {pemText("PRIVATE KEY", []byte("x")), "damaged"},
		"text after the key":         {pkcs1(key) + "and so on", "text after"},
		"two keys":                   {pkcs1(key) + pkcs1(key), "text after"},
		"text before the key":        {"my key:\n" + pkcs1(key), "text before"},
		"cut off":                    {pkcs1(key)[:500], "not a PEM block"},
		"a path":                     {"app.private-key.pem", "not a PEM block"},
		"empty":                      {"", "not a PEM block"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := ParsePrivateKey(test.text)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("error %v, want one with %q", err, test.err)
				}
				if secret := x509.MarshalPKCS1PrivateKey(key); bytes.Contains([]byte(err.Error()), secret[:16]) {
					t.Error("the error holds the key")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !got.Equal(key) {
				t.Error("read another key than was written")
			}
		})
	}
}

func FuzzPrivateKey(f *testing.F) {
	f.Add(pkcs1(testKey()))
	f.Add("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		if key, err := ParsePrivateKey(text); err == nil && key.N.BitLen() < minKeyBits {
			t.Errorf("took a key of %d bits", key.N.BitLen())
		}
	})
}

// The expected values were made with the commands that GitHub's documentation
// gives: openssl rsa -pubout -outform DER | openssl sha256 -binary | openssl base64.
func TestFingerprintIsGitHubs(t *testing.T) {
	t.Parallel()
	const (
		modulus = "8F17870CF2216B2CCCDB018EBBCD12169F001D292B64592D2BCD4D5BD56B82E303C109F4E5BB2CA5C3E70620AADD99E36E61" +
			"15CBCDB8771D921B66155D7433DA70ACF6E9848A7A853B05E0F1BDA2B8385777A90867E6E4763120495DB643651FC49FC875" +
			"F551A4A0A550DA354668CC68168FAD08CD4526A13ABD523D4904B6E38FE3EFB9D464C349321B9B2872C0F859BE34CA5B3517" +
			"F94A691B0CE363159B620A812F9924F71A8D991F9096D590367CE791FE9596636B66B17DBB546AFAFA5DA939022749B1E75E" +
			"86A9EA1E3B442F08D2330AB4C8C500850875484C1DEC84512EBD0D6691A253945066F66C9707040750FCCABA1D82703CBAAE" +
			"021956D1AD97"
		want = "HQykOQbwo3LphKRnC/qcINFtcH/WaGgBphc5IvLvSSg="
	)
	n, ok := new(big.Int).SetString(modulus, 16)
	if !ok {
		t.Fatal("the modulus is not a number")
	}
	key := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: n, E: 65537}}
	if got := Fingerprint(key); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestHashedTokenIsGitHubs(t *testing.T) {
	t.Parallel()
	// printf ghs_example | openssl sha256 -binary | openssl base64
	if got, want := HashToken("ghs_example"), "UMaRjVoedd29MJgtcZ6b6jIFPLlG7OzD84ZhFi+79Cc="; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
