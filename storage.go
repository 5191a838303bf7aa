package githubsecrets

import (
	"context"
	"fmt"
	"slices"

	"github.com/hashicorp/vault/sdk/logical"
)

// load reads the entry under the key into a value; false if there is none.
func load(ctx context.Context, storage logical.Storage, key string, into any) (bool, error) {
	entry, err := storage.Get(ctx, key)
	if err != nil {
		return false, fmt.Errorf("read %s: %w", key, err)
	}
	if entry == nil {
		return false, nil
	}
	if err := entry.DecodeJSON(into); err != nil {
		return false, fmt.Errorf("decode %s: %w", key, err)
	}
	return true, nil
}

// store writes a value under the key.
func store(ctx context.Context, storage logical.Storage, key string, value any) error {
	entry, err := logical.StorageEntryJSON(key, value)
	if err != nil {
		return fmt.Errorf("encode %s: %w", key, err)
	}
	if err := storage.Put(ctx, entry); err != nil {
		return fmt.Errorf("write %s: %w", key, err)
	}
	return nil
}

// remove deletes what is under the key, if anything.
func remove(ctx context.Context, storage logical.Storage, key string) error {
	if err := storage.Delete(ctx, key); err != nil {
		return fmt.Errorf("delete %s: %w", key, err)
	}
	return nil
}

// listNames answers the names below a prefix.
func listNames(ctx context.Context, storage logical.Storage, prefix string) (*logical.Response, error) {
	names, err := storage.List(ctx, prefix)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", prefix, err)
	}
	slices.Sort(names)
	return logical.ListResponse(names), nil
}
