package lifecycle

import (
	"encoding/json"
	"maps"
)

// Schema is the JSON Schema of a configuration, from the fields that are read.
func Schema() []byte {
	r := &reader{}
	root := objectSchema(r.document(&Configuration{}))
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = ConfigurationKind
	data, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		// Only maps, lists and texts are in it.
		panic("lifecycle: the schema can't be written: " + err.Error())
	}
	return append(data, '\n')
}

// objectSchema is the schema of an object with some fields, and no others.
func objectSchema(fields []field) schema {
	properties, required := schema{}, []string{}
	for _, f := range fields {
		properties[f.Name] = f.schemaOf()
		if f.Required {
			required = append(required, f.Name)
		}
	}
	s := schema{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

// schemaOf is the schema of one field.
func (f field) schemaOf() schema {
	s := maps.Clone(f.schema)
	s["description"] = f.doc
	if f.fields == nil {
		return s
	}
	object := objectSchema(f.fields)
	if s["type"] == "array" {
		s["items"] = object
		return s
	}
	maps.Copy(s, object)
	return s
}
