package vaulttest

import "context"

// Server is a Vault of a single node.
type Server struct {
	*Cluster
	*Node
}

// StartServer runs the vault binary. Close ends it. What is given of config is
// added to the server's configuration, e.g. another listener.
func StartServer(ctx context.Context, binary string, config ...string) (*Server, error) {
	c, err := StartCluster(ctx, binary, 1, config...)
	if err != nil {
		return nil, err
	}
	return &Server{Cluster: c, Node: c.Nodes[0]}, nil
}
