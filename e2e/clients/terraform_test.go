package clients

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl"
	"github.com/hashicorp/vault/api"
)

// terraform does what the resources of Terraform's Vault provider do, request by
// request.
//
// https://github.com/hashicorp/terraform-provider-vault/blob/main/vault/resource_generic_endpoint.go
// https://github.com/hashicorp/terraform-provider-vault/blob/main/vault/resource_generic_secret.go
type terraform struct {
	t      *testing.T
	client *api.Client
}

// endpoint is a vault_generic_endpoint.
type endpoint struct {
	Path               string
	IgnoreAbsentFields bool   `hcl:"ignore_absent_fields"`
	DataJSON           string `hcl:"data_json"`
}

// apply writes the resource and returns its data_json as the state then has it.
func (tf terraform) apply(e endpoint) map[string]any {
	tf.t.Helper()
	if _, err := tf.client.Logical().Write(e.Path, decode(tf.t, e.DataJSON)); err != nil {
		tf.t.Fatal(err)
	}
	return tf.refresh(e)
}

// refresh reads the resource.
func (tf terraform) refresh(e endpoint) map[string]any {
	tf.t.Helper()
	read, err := tf.client.Logical().Read(e.Path)
	if err != nil || read == nil {
		tf.t.Fatalf("read %s: %v, %v", e.Path, read, err)
	}
	relevant := read.Data
	if e.IgnoreAbsentFields {
		relevant = decode(tf.t, e.DataJSON)
		for field := range relevant {
			if value, ok := read.Data[field]; ok {
				relevant[field] = value
			}
		}
	}
	encoded, err := json.Marshal(relevant)
	if err != nil {
		tf.t.Fatal(err)
	}
	return decode(tf.t, string(encoded))
}

// secret is a vault_generic_secret: it asks first whether the path is in a KV
// store, and reads every field.
func (tf terraform) secret(e endpoint) map[string]any {
	tf.t.Helper()
	mount, err := tf.client.Logical().Read("sys/internal/ui/mounts/" + e.Path)
	if err != nil {
		tf.t.Fatal(err)
	}
	if options, _ := mount.Data["options"].(map[string]any); options["version"] == "2" {
		tf.t.Fatalf("%s is taken for a KV store", e.Path)
	}
	e.IgnoreAbsentFields = false
	return tf.apply(e)
}

func decode(t *testing.T, text string) map[string]any {
	t.Helper()
	var data map[string]any
	if err := json.Unmarshal([]byte(text), &data); err != nil {
		t.Fatal(err)
	}
	return data
}

func TestTerraformSeesNoDrift(t *testing.T) {
	t.Parallel()
	w, p := newClientWorld(t)
	client, err := w.vault.Root().API()
	if err != nil {
		t.Fatal(err)
	}
	tf := terraform{t, client}

	var printed struct {
		Resource map[string]map[string]endpoint
	}
	if err := hcl.Decode(&printed, p.block("file", "role.tf")); err != nil {
		t.Fatal(err)
	}
	deploy := printed.Resource["vault_generic_endpoint"]["deploy"]
	if diff := cmp.Diff(decode(t, deploy.DataJSON), tf.apply(deploy)); diff != "" {
		t.Errorf("Terraform would change %s (-written +read):\n%s", deploy.Path, diff)
	}

	w.write("github/limits", map[string]any{"organizations": "acme", "max_ttl": "1h"})
	for _, path := range []string{deploy.Path, "github/roles/ci", "github/issuers/default", "github/limits"} {
		read := tf.refresh(endpoint{Path: path})
		encoded, err := json.Marshal(read)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(read, tf.secret(endpoint{Path: path, DataJSON: string(encoded)})); diff != "" {
			t.Errorf("Terraform would change %s (-written +read):\n%s", path, diff)
		}
	}

	if _, err := client.Logical().Delete(deploy.Path); err != nil {
		t.Error(err)
	}
	if gone, err := client.Logical().Read(deploy.Path); gone != nil || err != nil {
		t.Errorf("after the deletion Terraform reads %v, %v", gone, err)
	}
}
