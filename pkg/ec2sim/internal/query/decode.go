// Package query is the wire of the EC2 Query protocol: it decodes the parameters of a request into
// typed structs and encodes answers as XML.
//
// A struct field's name is its wire name: the field NetworkInterfaceId holds the parameter
// NetworkInterfaceId, a []string field PrivateIpAddress holds PrivateIpAddress.1,
// PrivateIpAddress.2 …, a struct, []struct or map field holds the parameters below it. A tag
// `wire:"key"` is another wire name. Embedded structs lie at the level of the struct that embeds
// them. What no field names is refused, as EC2 refuses
// it.
package query

import (
	"cmp"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// UnknownError means that a parameter is not one of the operation's.
type UnknownError struct{ Key string }

func (e *UnknownError) Error() string { return "unknown parameter " + e.Key }

// MissingError means that a required parameter is absent or empty.
type MissingError struct{ Key string }

func (e *MissingError) Error() string { return "missing parameter " + e.Key }

// ValueError means that a parameter's value is not of its type.
type ValueError struct{ Key, Value, Want string }

func (e *ValueError) Error() string {
	return "parameter " + e.Key + " is not of type " + e.Want + ": " + e.Value
}

// UnheldError means that a parameter is EC2's, and that the stand-in does not implement it.
type UnheldError struct{ Key string }

func (e *UnheldError) Error() string { return "parameter not implemented: " + e.Key }

// node is one level of the parameters: Filter.1.Name is the child Name of the child 1 of Filter.
type node struct {
	value    *string
	children map[string]*node
}

func (n *node) child(name string) *node {
	if n.children == nil {
		n.children = map[string]*node{}
	}
	c := n.children[name]
	if c == nil {
		c = &node{}
		n.children[name] = c
	}
	return c
}

// leaf returns the key of the first parameter at or below n, in order of name.
func (n *node) leaf(key string) string {
	if n.value != nil || len(n.children) == 0 {
		return key
	}
	names := make([]string, 0, len(n.children))
	for name := range n.children {
		names = append(names, name)
	}
	slices.Sort(names)
	return n.children[names[0]].leaf(join(key, names[0]))
}

// Decode reads the parameters into the struct that into points at. Action and Version are not
// looked at. A field tagged `query:"required"` must be there and not empty; one tagged
// `query:"unheld"` must not. The error is an *UnknownError, *MissingError, *ValueError or
// *UnheldError.
func Decode(form url.Values, into any) error {
	root := &node{}
	for key, values := range form {
		if key == "Action" || key == "Version" || len(values) == 0 {
			continue
		}
		at := root
		for part := range strings.SplitSeq(key, ".") {
			at = at.child(part)
		}
		at.value = &values[0]
	}
	if err := decodeStruct(root, "", reflect.ValueOf(into).Elem()); err != nil {
		return err
	}
	return required(reflect.ValueOf(into).Elem())
}

func decodeStruct(n *node, key string, to reflect.Value) error {
	if n.value != nil {
		return &UnknownError{key}
	}
	known := map[string]bool{}
	if err := decodeFields(n, key, to, known); err != nil {
		return err
	}
	var unknown []string
	for name := range n.children {
		if !known[name] {
			unknown = append(unknown, n.children[name].leaf(join(key, name)))
		}
	}
	if len(unknown) > 0 {
		return &UnknownError{slices.Min(unknown)}
	}
	return nil
}

func decodeFields(n *node, key string, to reflect.Value, known map[string]bool) error {
	for i := range to.NumField() {
		field := to.Type().Field(i)
		if field.Anonymous {
			if err := decodeFields(n, key, to.Field(i), known); err != nil {
				return err
			}
			continue
		}
		name := cmp.Or(field.Tag.Get("wire"), field.Name)
		known[name] = true
		child := n.children[name]
		if child == nil {
			continue
		}
		if field.Tag.Get("query") == "unheld" {
			return &UnheldError{child.leaf(join(key, name))}
		}
		if err := decodeValue(child, join(key, name), to.Field(i)); err != nil {
			return err
		}
	}
	return nil
}

func decodeValue(n *node, key string, to reflect.Value) error {
	switch to.Kind() {
	case reflect.Pointer:
		to.Set(reflect.New(to.Type().Elem()))
		return decodeValue(n, key, to.Elem())
	case reflect.Struct:
		return decodeStruct(n, key, to)
	case reflect.Slice:
		return decodeList(n, key, to)
	case reflect.Map:
		return decodeMap(n, key, to)
	}
	if n.value == nil || len(n.children) > 0 {
		return &UnknownError{(&node{children: n.children}).leaf(key)}
	}
	return decodeScalar(*n.value, key, to)
}

func decodeScalar(value, key string, to reflect.Value) error {
	switch to.Kind() {
	case reflect.String:
		to.SetString(value)
	case reflect.Bool:
		switch strings.ToLower(value) {
		case "true":
			to.SetBool(true)
		case "false":
			to.SetBool(false)
		default:
			return &ValueError{key, value, "boolean"}
		}
	case reflect.Int:
		v, err := strconv.ParseInt(value, 10, 32)
		if err != nil {
			return &ValueError{key, value, "integer"}
		}
		to.SetInt(v)
	default:
		panic("query: a field of a type the wire has not: " + to.Type().String())
	}
	return nil
}

// decodeList reads members in the order of their numbers; like EC2 it does not mind gaps.
func decodeList(n *node, key string, to reflect.Value) error {
	if n.value != nil {
		return &UnknownError{key}
	}
	var numbers []int
	for name := range n.children {
		i, err := strconv.Atoi(name)
		if err != nil || i < 1 || strconv.Itoa(i) != name {
			return &UnknownError{n.children[name].leaf(join(key, name))}
		}
		numbers = append(numbers, i)
	}
	slices.Sort(numbers)
	list := reflect.MakeSlice(to.Type(), len(numbers), len(numbers))
	for at, i := range numbers {
		name := strconv.Itoa(i)
		if err := decodeValue(n.children[name], join(key, name), list.Index(at)); err != nil {
			return err
		}
	}
	to.Set(list)
	return nil
}

// decodeMap reads members by their names.
func decodeMap(n *node, key string, to reflect.Value) error {
	if n.value != nil {
		return &UnknownError{key}
	}
	all := reflect.MakeMap(to.Type())
	for name, child := range n.children {
		value := reflect.New(to.Type().Elem()).Elem()
		if err := decodeValue(child, join(key, name), value); err != nil {
			return err
		}
		all.SetMapIndex(reflect.ValueOf(name), value)
	}
	to.Set(all)
	return nil
}

func required(in reflect.Value) error {
	for i := range in.NumField() {
		field := in.Type().Field(i)
		if field.Anonymous {
			if err := required(in.Field(i)); err != nil {
				return err
			}
			continue
		}
		if field.Tag.Get("query") != "required" {
			continue
		}
		if v := in.Field(i); v.IsZero() || v.Kind() == reflect.Slice && v.Len() == 0 {
			return &MissingError{field.Name}
		}
	}
	return nil
}

func join(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}
