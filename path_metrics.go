package githubsecrets

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/prometheus/common/expfmt"
)

const (
	metricsHelp = `Read this node's metrics of this mount, as Prometheus does.`

	metricsDescription = `
Answers Prometheus' text format, not JSON: scrape it with a Vault token as bearer
token. Each node counts for itself from its start; on a standby the request is
forwarded, so what is answered is the active node's.
`
)

func (b *backend) metricsPaths() []*framework.Path {
	return []*framework.Path{{
		Pattern:      "metrics$",
		DisplayAttrs: displayAttrs("metrics"),
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ReadOperation: &framework.PathOperation{
				Callback: b.readMetrics, Summary: "Read the metrics, in Prometheus' text format.",
				Responses: map[int][]framework.Response{http.StatusOK: {{
					Description: "The metrics.", MediaType: string(textFormat),
				}}},
			},
		},
		HelpSynopsis:    metricsHelp,
		HelpDescription: strings.TrimSpace(metricsDescription),
	}}
}

var textFormat = expfmt.NewFormat(expfmt.TypeTextPlain)

func (b *backend) readMetrics(ctx context.Context, req *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
	if err := b.cacheApps(ctx, req.Storage); err != nil {
		return nil, err
	}
	families, err := b.metrics.registry.Gather()
	if err != nil {
		return nil, fmt.Errorf("gather the metrics: %w", err)
	}
	var text bytes.Buffer
	encoder := expfmt.NewEncoder(&text, textFormat)
	for _, family := range families {
		if err := encoder.Encode(family); err != nil {
			return nil, fmt.Errorf("write the metrics: %w", err)
		}
	}
	return &logical.Response{Data: map[string]any{
		logical.HTTPStatusCode:  http.StatusOK,
		logical.HTTPContentType: string(textFormat),
		logical.HTTPRawBody:     text.Bytes(),
	}}, nil
}
