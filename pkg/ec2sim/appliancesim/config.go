package appliancesim

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// config is the configuration of an appliance: objects by their path, as system/geneve.
type config struct{ objects map[string]*object }

// object is an object of the configuration: settings, or rows of settings by their names.
type object struct {
	settings map[string]string
	rows     map[string]map[string]string
	order    []string
}

// known are the paths that there are, and whether each is a table.
var known = map[string]bool{
	"system/auto-scale": false, "system/global": false, "system/probe-response": false,
	"system/dns": false, "system/geneve": true, "system/interface": true, "system/zone": true,
	"router/static": true, "firewall/address": true, "firewall/policy": true,
}

func newConfig() *config {
	c := &config{objects: map[string]*object{}}
	for path := range known {
		c.objects[path] = &object{settings: map[string]string{}, rows: map[string]map[string]string{}}
	}
	c.objects["system/auto-scale"].settings = map[string]string{
		"status": "disable", "role": "secondary", "primary-ip": "0.0.0.0", "sync-interface": "",
		"psksecret": "",
	}
	return c
}

func (c *config) clone() *config {
	copied := &config{objects: map[string]*object{}}
	for path, o := range c.objects {
		rows := map[string]map[string]string{}
		for name, row := range o.rows {
			rows[name] = maps.Clone(row)
		}
		copied.objects[path] = &object{maps.Clone(o.settings), rows, slices.Clone(o.order)}
	}
	return copied
}

// results are what the API tells of a path; nil if there is none.
func (c *config) results(path string) any {
	o := c.objects[path]
	switch {
	case o == nil:
		return nil
	case !known[path]:
		return hidden(o.settings)
	}
	list := []map[string]string{}
	for _, name := range o.order {
		row := hidden(o.rows[name])
		key := "name"
		if _, err := strconv.Atoi(name); err == nil {
			key = "seq-num"
		}
		row[key] = name
		list = append(list, row)
	}
	return list
}

// hidden are settings as they are shown: secrets are not.
func hidden(settings map[string]string) map[string]string {
	shown := map[string]string{}
	for k, v := range settings {
		if k == "psksecret" && v != "" {
			v = "ENC XXXX"
		}
		shown[k] = v
	}
	return shown
}

// maxSecret is how long a secret may be that members synchronise by.
const maxSecret = 128

// place is where a script is: in an object, and in a row of it.
type place struct {
	path, row string
}

// run runs a script, line after line, and goes on after errors. It returns them.
func (c *config) run(script string) string {
	var errors []string
	var at *place
	for _, words := range commands(script) {
		if err := c.step(&at, words); err != nil {
			errors = append(errors, err.Error())
		}
	}
	if at != nil {
		errors = append(errors, "the script ends inside of "+at.path)
	}
	return strings.Join(errors, "\n")
}

// refusal is what FortiOS says of a line that it can't take.
func refusal(words []string, code int) error {
	return fmt.Errorf("command parse error before '%s'. Command fail. Return code %d",
		words[len(words)-1], code)
}

func (c *config) step(at **place, words []string) error {
	here := *at
	switch command := words[0]; {
	case here == nil:
		path := strings.Join(words[1:max(len(words)-1, 1)], ".") + "/" + words[len(words)-1]
		if _, ok := known[path]; !ok || command != "config" {
			return refusal(words, -61)
		}
		*at = &place{path: path}
	case command == "end":
		*at = nil
	case command == "set" && len(words) > 2, command == "append" && len(words) > 2:
		return c.set(here, words)
	case command == "unset" && len(words) == 2:
		delete(c.settings(here), words[1])
	default:
		return c.rowStep(here, words)
	}
	return nil
}

// rowStep goes into a row or out of it, or removes it.
func (c *config) rowStep(here *place, words []string) error {
	o := c.objects[here.path]
	switch command := words[0]; {
	case command == "next" && here.row != "":
		here.row = ""
	case len(words) != 2 || !known[here.path] || here.row != "":
		return refusal(words, -61)
	case command == "edit":
		c.edit(here, words[1])
	case command == "delete":
		delete(o.rows, words[1])
		o.order = slices.DeleteFunc(o.order, func(name string) bool { return name == words[1] })
	default:
		return refusal(words, -61)
	}
	return nil
}

// edit makes a row, or goes into one. The row 0 is a new one.
func (c *config) edit(here *place, name string) {
	o := c.objects[here.path]
	if name == "0" {
		for n := 1; ; n++ {
			if name = strconv.Itoa(n); o.rows[name] == nil {
				break
			}
		}
	}
	if o.rows[name] == nil {
		o.rows[name] = map[string]string{}
		o.order = append(o.order, name)
	}
	here.row = name
}

func (c *config) settings(here *place) map[string]string {
	if known[here.path] {
		return c.objects[here.path].rows[here.row]
	}
	return c.objects[here.path].settings
}

func (c *config) set(here *place, words []string) error {
	settings := c.settings(here)
	if settings == nil {
		return refusal(words, -61)
	}
	value := strings.Join(words[2:], " ")
	if here.path == "system/auto-scale" && words[1] == "role" && value != "primary" &&
		value != "secondary" {
		return refusal(words, -651)
	}
	if words[1] == "psksecret" && len(value) > maxSecret {
		return refusal(words, -61)
	}
	if words[0] == "append" && settings[words[1]] != "" {
		value = settings[words[1]] + " " + value
	}
	settings[words[1]] = value
	return nil
}

// commands are the commands of a script, each in words. A quote goes on over the ends of lines, and
// a backslash in it takes the next letter as it is.
func commands(script string) [][]string {
	var all [][]string
	var words []string
	var word strings.Builder
	inWord, quoted := false, false
	endWord := func() {
		if inWord {
			words, inWord = append(words, word.String()), false
			word.Reset()
		}
	}
	letters := []rune(script)
	for i := 0; i < len(letters); i++ {
		r := letters[i]
		switch {
		case quoted && r == '\\' && i+1 < len(letters):
			i++
			word.WriteRune(letters[i])
		case r == '"':
			quoted, inWord = !quoted, true
		case !quoted && (r == ' ' || r == '\t' || r == '\r'):
			endWord()
		case !quoted && r == '\n':
			endWord()
			all, words = append(all, words), nil
		default:
			word.WriteRune(r)
			inWord = true
		}
	}
	endWord()
	return slices.DeleteFunc(append(all, words), func(words []string) bool {
		return len(words) == 0 || strings.HasPrefix(words[0], "#")
	})
}
