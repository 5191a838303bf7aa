package clients

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"testing"

	"github.com/hashicorp/vault/api"
	"go.yaml.in/yaml/v3"
)

// generator is a VaultDynamicSecret of the External Secrets Operator.
type generator struct {
	Kind string
	Spec struct {
		Path, Method string
		ResultType   string `yaml:"resultType"`
		Parameters   map[string]any
	}
}

// generate asks Vault as the operator's generator does, and returns the keys of
// the Kubernetes secret.
//
// https://github.com/external-secrets/external-secrets/blob/main/generators/v1/vault/vault.go
func (g generator) generate(client *api.Client) (map[string]string, error) {
	var secret *api.Secret
	var err error
	switch g.Spec.Method {
	case "", "GET":
		secret, err = client.Logical().ReadWithData(g.Spec.Path, nil)
	default:
		secret, err = client.Logical().Write(g.Spec.Path, g.Spec.Parameters)
	}
	switch {
	case err != nil:
		return nil, err
	case secret == nil:
		return nil, errors.New("empty response from Vault")
	}
	keys := map[string]string{}
	for name, value := range secret.Data {
		if keys[name], err = secretValue(value); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return keys, nil
}

// secretValue is a field as a value of a Kubernetes secret.
func secretValue(value any) (string, error) {
	switch v := value.(type) {
	case string:
		return v, nil
	case json.Number:
		return v.String(), nil
	case bool:
		return strconv.FormatBool(v), nil
	case map[string]any, []any:
		encoded, err := json.Marshal(v)
		return string(encoded), err
	}
	return "", fmt.Errorf("can not handle secret value with type %T", value)
}

func TestExternalSecretsGenerator(t *testing.T) {
	t.Parallel()
	w, p := newClientWorld(t)
	client, err := w.vault.Client(w.vaultToken()["VAULT_TOKEN"]).API()
	if err != nil {
		t.Fatal(err)
	}
	printed := readGenerator(t, p.block("file", "external-secret.yaml"))
	for _, method := range []string{"GET", "POST"} {
		printed.Spec.Method = method
		keys, err := printed.generate(client)
		if err != nil {
			t.Fatalf("%s: %v", method, err)
		}
		w.wantLive(keys["token"])
		for name, want := range map[string]string{
			"repositories":   `["api"]`,
			"repository_ids": fmt.Sprintf("[%d]", w.api.ID),
			"permissions":    `{"contents":"read","metadata":"read"}`,
			"scope":          "acme: api: contents=read,metadata=read",
		} {
			if keys[name] != want {
				t.Errorf("%s: %s is %q, not %q", method, name, keys[name], want)
			}
		}
	}
	w.wantMinted(2)
}

// readGenerator reads the manifest's first document.
func readGenerator(t *testing.T, manifest string) generator {
	t.Helper()
	var g generator
	decoder := yaml.NewDecoder(bytes.NewBufferString(manifest))
	if err := decoder.Decode(&g); err != nil {
		t.Fatal(err)
	}
	if g.Kind != "VaultDynamicSecret" || g.Spec.Method != "POST" || g.Spec.ResultType != "Data" || len(g.Spec.Parameters) == 0 {
		t.Fatalf("the manifest does not begin with a generator that posts parameters: %+v", g)
	}
	var rest any
	if err := decoder.Decode(&rest); errors.Is(err, io.EOF) {
		t.Error("the manifest has no ExternalSecret")
	}
	return g
}
