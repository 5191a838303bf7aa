package vaulttest

import "context"

// Server is a Vault of a single node.
type Server struct {
	*Cluster
	*Node
}

// StartServer runs the vault binary. Close ends it.
func StartServer(ctx context.Context, binary string) (*Server, error) {
	c, err := StartCluster(ctx, binary, 1)
	if err != nil {
		return nil, err
	}
	return &Server{Cluster: c, Node: c.Nodes[0]}, nil
}
