package githubsecrets

import (
	"net/http"
	"slices"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

// What the paths of stored resources (Apps, issuers, roles, limits) share.

func displayAttrs(suffix string) *framework.DisplayAttributes {
	return &framework.DisplayAttributes{OperationPrefix: "github", OperationSuffix: suffix}
}

// responses describes the one answer of an operation that is not an error.
func responses(status int, description string, fields map[string]*framework.FieldSchema) map[int][]framework.Response {
	return map[int][]framework.Response{status: {{Description: description, Fields: fields}}}
}

// handlers are what a resource does when it is written, read and deleted.
type handlers struct {
	write, read, delete framework.OperationFunc
}

// operations are those of a resource, which its name in the summaries has an
// article. A write answers what a read would. What changes storage is sent on by
// a standby before anything is done.
func (h handlers) operations(resource string, answer map[string]*framework.FieldSchema) map[logical.Operation]framework.OperationHandler {
	change := func(callback framework.OperationFunc, summary string, answers map[int][]framework.Response) framework.OperationHandler {
		return &framework.PathOperation{
			Callback: callback, Summary: summary, Responses: answers,
			ForwardPerformanceStandby: true, ForwardPerformanceSecondary: true,
		}
	}
	written := responses(http.StatusOK, "As it now is.", answer)
	return map[logical.Operation]framework.OperationHandler{
		logical.CreateOperation: change(h.write, "Create "+resource+".", written),
		logical.UpdateOperation: change(h.write, "Change "+resource+"; what is not given stays.", written),
		logical.DeleteOperation: change(h.delete, "Delete "+resource+".", responses(http.StatusNoContent, "Deleted.", nil)),
		logical.ReadOperation: &framework.PathOperation{
			Callback: h.read, Summary: "Read " + resource + ", in the form that a write takes.",
			Responses: responses(http.StatusOK, "As it is.", answer),
		},
	}
}

// listOperation answers names.
func listOperation(callback framework.OperationFunc, resources string) framework.OperationHandler {
	return &framework.PathOperation{
		Callback: callback, Summary: "List the " + resources + ".",
		Responses: responses(http.StatusOK, "Their names.", map[string]*framework.FieldSchema{
			"keys": {Type: framework.TypeStringSlice, Description: "The names, sorted.", Required: true},
		}),
	}
}

// listPath is the path below which resources have names.
func listPath(pattern, resources string, callback framework.OperationFunc) *framework.Path {
	return &framework.Path{
		Pattern:         pattern,
		DisplayAttrs:    displayAttrs(resources),
		Operations:      map[logical.Operation]framework.OperationHandler{logical.ListOperation: listOperation(callback, resources)},
		HelpSynopsis:    "List the " + resources + ".",
		HelpDescription: "Answers the names of all " + resources + ", sorted.",
	}
}

// anyGiven reports whether a write names one of the fields.
func anyGiven(d *framework.FieldData, fields ...string) bool {
	return slices.ContainsFunc(fields, func(field string) bool {
		_, given := d.Raw[field]
		return given
	})
}

// nameOf is the name of the thing that the path names.
func nameOf(what string, d *framework.FieldData) (string, error) {
	name := d.Get("name").(string)
	return name, validateName(what, name)
}
