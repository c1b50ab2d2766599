package configtext

import (
	"cmp"
	"fmt"
)

// function is one that templates may call.
type function struct {
	// least and most are how many values it takes; most is 0 for any number.
	least, most int
	of          func(values []any) (any, error)
}

// functions are all of them, by name. Each does what text/template's does.
var functions = map[string]function{
	"and": {1, 0, last}, "or": {1, 0, last},
	"not":     {1, 1, func(of []any) (any, error) { return !truth(of[0]), nil }},
	"len":     {1, 1, func(of []any) (any, error) { return lengthOf(of[0]) }},
	"index":   {1, 0, index},
	"eq":      {2, 0, equal},
	"ne":      {2, 2, comparing(equal, true)},
	"lt":      {2, 2, comparing(less, false)},
	"ge":      {2, 2, comparing(less, true)},
	"gt":      {2, 2, comparing(more, false)},
	"le":      {2, 2, comparing(more, true)},
	"print":   {0, 0, func(of []any) (any, error) { return short(fmt.Sprint(of...)) }},
	"println": {0, 0, func(of []any) (any, error) { return short(fmt.Sprintln(of...)) }},
	"printf": {1, 0, func(of []any) (any, error) {
		format, ok := of[0].(string)
		if !ok {
			return nil, errWrongUse
		}
		return short(fmt.Sprintf(format, of[1:]...))
	}},
}

// knownFunctions are the names of functions, as the parser wants them.
func knownFunctions() map[string]any {
	names := map[string]any{}
	for name := range functions {
		names[name] = true
	}
	return names
}

// short refuses a text that no configuration has room for, before longer ones are made of it.
func short(text string) (any, error) {
	if len(text) > maxText {
		return nil, errTooLong
	}
	return text, nil
}

// last is the value that no one before it decided for.
func last(of []any) (any, error) { return of[len(of)-1], nil }

func lengthOf(value any) (any, error) {
	switch value := value.(type) {
	case string:
		return len(value), nil
	case []Tunnel:
		return len(value), nil
	case map[string]string:
		return len(value), nil
	}
	return nil, errWrongUse
}

// index takes a tunnel by its number, or a value by its name. A name that is not there gives an
// empty value.
func index(of []any) (any, error) {
	value := of[0]
	for _, by := range of[1:] {
		switch all := value.(type) {
		case []Tunnel:
			i, ok := by.(int)
			if !ok || i < 0 || i >= len(all) {
				return nil, errWrongUse
			}
			value = all[i]
		case map[string]string:
			name, ok := by.(string)
			if !ok {
				return nil, errWrongUse
			}
			value = all[name]
		default:
			return nil, errWrongUse
		}
	}
	return value, nil
}

// equal reports whether the first value is one of the others.
func equal(of []any) (any, error) {
	for _, other := range of[1:] {
		by, err := compare(of[0], other)
		if err != nil || by == 0 {
			return err == nil, err
		}
	}
	return false, nil
}

// comparing is how two values compare, or the opposite of it.
func comparing(how func([]any) (any, error), opposite bool) func([]any) (any, error) {
	return func(of []any) (any, error) {
		holds, err := how(of)
		return holds == any(!opposite), err
	}
}

func less(of []any) (any, error) {
	by, err := order(of)
	return by < 0, err
}

func more(of []any) (any, error) {
	by, err := order(of)
	return by > 0, err
}

// order compares two values that have an order: truths have none.
func order(of []any) (int, error) {
	if _, ok := of[0].(bool); ok {
		return 0, errWrongUse
	}
	return compare(of[0], of[1])
}

// compare compares two texts, two numbers or two truths. Two truths differ or do not.
func compare(a, b any) (int, error) {
	switch a := a.(type) {
	case string:
		if b, ok := b.(string); ok {
			return cmp.Compare(a, b), nil
		}
	case int:
		if b, ok := b.(int); ok {
			return cmp.Compare(a, b), nil
		}
	case bool:
		if b, ok := b.(bool); ok {
			if a == b {
				return 0, nil
			}
			return 1, nil
		}
	}
	return 0, errWrongUse
}
