// Package schema holds the JSON Schemas (draft 2020-12) of the wire, for whoever
// checks a request or a result without running the executor.
//
// A request schema accepts what the executor accepts, as far as a schema can say
// it. The schemas are generated from the verbs' descriptors by schema/generate; their
// $ids, urn:aws-provider-executor:schema:<name>, are stable.
package schema

import (
	"embed"
	"strings"
)

//go:embed *.schema.json inventory/*.schema.json hook/*.schema.json appliance/*.schema.json
var files embed.FS

const suffix = ".schema.json"

// Request is the schema of a request for any verb.
func Request() []byte { return mustRead("request") }

// Result is the schema of a result.
func Result() []byte { return mustRead("result") }

// InventoryRequest is the schema of a request to the inventory.
func InventoryRequest() []byte { return mustRead("inventory/request") }

// InventoryResult is the schema of a result of the inventory.
func InventoryResult() []byte { return mustRead("inventory/result") }

// HookRequest is the schema of what the program of an appliance gets.
func HookRequest() []byte { return mustRead("hook/request") }

// HookAnswer is the schema of what the program of an appliance writes.
func HookAnswer() []byte { return mustRead("hook/answer") }

// Appliance is the schema of a request for a verb of the provider appliance, or for any of them
// where the name is request; false when there is no such verb.
func Appliance(name string) ([]byte, bool) {
	data, err := files.ReadFile("appliance/" + name + suffix)
	return data, err == nil
}

// Verb is the schema of a request for one verb; false when there is no such verb.
func Verb(name string) ([]byte, bool) {
	if name == "request" || name == "result" || strings.Contains(name, "/") {
		return nil, false
	}
	data, err := files.ReadFile(name + suffix)
	return data, err == nil
}

// Names lists the executor's schemas: request, result and the verbs, sorted.
func Names() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(err)
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() {
			names = append(names, strings.TrimSuffix(e.Name(), suffix))
		}
	}
	return names
}

func mustRead(name string) []byte {
	data, err := files.ReadFile(name + suffix)
	if err != nil {
		panic(err)
	}
	return data
}
