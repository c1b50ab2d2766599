package awsec2

import (
	"cmp"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/config"

	"aws-provider-executor/pkg/protocol"
)

// unloadable means that the SDK can't make sense of the environment or the shared files.
func unloadable(s *secrets, err error) *protocol.Failure {
	if outOfFiles(err) {
		return protocol.Refuse(protocol.Unavailable, "the executor's environment can't be read: %s; "+
			"nothing was changed; %s", s.tell(err.Error()), outOfFilesHint)
	}
	text := s.tell(err.Error())
	var profile config.SharedConfigProfileNotExistError
	name := "AWS_PROFILE"
	if os.Getenv(name) == "" {
		name = "AWS_DEFAULT_PROFILE"
	}
	if errors.As(err, &profile) && profile.Profile == os.Getenv(name) {
		text = name + " is " + protocol.Quote(profile.Profile) +
			", and no file that is read has that profile"
		if os.Getenv("HOME") == "" {
			text += "; without HOME only the files that AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE " +
				"name are read"
		}
	}
	var file *fs.PathError
	if errors.As(err, &file) {
		text = s.tell("cannot read " + file.Path + " (" + file.Err.Error() + ")")
	}
	var set []string
	for _, entry := range os.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, "AWS_") || value == "" {
			continue
		}
		set = append(set, name)
		if file != nil && file.Path == value {
			text = name + ": " + text
		}
	}
	// Where the text names no variable, those that are set are where to look.
	where := ""
	if !slices.ContainsFunc(set, func(name string) bool { return strings.Contains(text, name) }) {
		slices.Sort(set)
		where = "; these variables are set: " +
			cmp.Or(strings.Join(set, ", "), "none of the AWS SDK's")
	}
	return protocol.Refuse(protocol.Configuration,
		"the executor's environment is not right: %s; nothing was changed%s", text, where)
}

// check names all that is wrong with the settings before any call: what the SDK or net/http could
// never send, they would try until the deadline.
func (c *way) check(env config.EnvConfig, shared config.SharedConfig) error {
	var faults []string
	fault := func(text string) {
		if text != "" {
			faults = append(faults, text)
		}
	}
	fault(addressFault(
		setBy("AWS_EC2_METADATA_SERVICE_ENDPOINT", "ec2_metadata_service_endpoint", shared),
		cmp.Or(env.EC2IMDSEndpoint, shared.EC2IMDSEndpoint)))
	fault(halfKey())
	if c.own.base().kind == fromContainer {
		fault(containerFault(env))
	}
	if s := c.own.base(); s.kind == fromEnvironment || s.kind == fromFile {
		for q := &shared; q != nil; q = q.Source {
			keys := q.Credentials
			if s.kind == fromEnvironment {
				keys = env.Credentials
			}
			if text := keyFault(keys); text != "" {
				fault(s.text + ": " + text)
				break
			}
		}
	}
	if c.own.region != "" {
		_, wrong := c.endpointOf(ofEC2)
		faults = append(faults, wrong...)
	}
	if len(faults) == 0 {
		return nil
	}
	return wrongEnvironment(faults)
}

// wrongEnvironment tells all that is wrong with the settings at once.
func wrongEnvironment(faults []string) error {
	return protocol.Refuse(protocol.Configuration,
		"the executor's environment is not right: %s; nothing was changed", strings.Join(faults, "; "))
}

// proxyFault names what is wrong with the proxy of an endpoint, or is empty. A proxy whose address
// can't be parsed would be left out in silence, or taken for another host.
func proxyFault(endpoint *url.URL, out network) string {
	proxy, err := out.unlessLocal(&http.Request{URL: endpoint})
	name := proxyVariable(endpoint)
	set := cmp.Or(os.Getenv(name), os.Getenv(strings.ToLower(name)))
	excepted := isLocal(endpoint.Hostname()) ||
		cmp.Or(os.Getenv("NO_PROXY"), os.Getenv("no_proxy")) != ""
	switch {
	case err == nil && proxy == nil && (set == "" || excepted):
		return ""
	case err == nil && (proxy != nil && isProxy(proxy) || proxy == nil && parses(set)):
		return ""
	}
	return name + " is not the address of a proxy, as in http://proxy:3128"
}

// parses reports whether a proxy's address has any meaning, with or without a scheme.
func parses(address string) bool {
	_, err := url.Parse(address)
	_, bare := url.Parse("http://" + address)
	return err == nil || bare == nil
}

// isProxy reports whether a proxy can be spoken to. A port without a number, as of the host
// "http:", is the rest of an address that was taken for another.
func isProxy(u *url.URL) bool {
	return slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme) &&
		u.Hostname() != "" && !strings.HasSuffix(u.Host, ":")
}

// halfKey names a key in the environment whose other half is missing, or is empty. The SDK would
// go on with another identity, without a word.
func halfKey() string {
	id := cmp.Or(os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_ACCESS_KEY"))
	key := cmp.Or(os.Getenv("AWS_SECRET_ACCESS_KEY"), os.Getenv("AWS_SECRET_KEY"))
	switch {
	case id != "" && key == "":
		return "AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is not: set both or none"
	case id == "" && key != "":
		return "AWS_SECRET_ACCESS_KEY is set, and AWS_ACCESS_KEY_ID is not: set both or none"
	}
	return ""
}

// containerFault names what is wrong with the settings of container credentials, or is empty.
func containerFault(env config.EnvConfig) string {
	const path, variable = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
		"AWS_CONTAINER_AUTHORIZATION_TOKEN"
	if p := env.ContainerCredentialsRelativePath; p != "" && !strings.HasPrefix(p, "/") {
		return path + " does not begin with a slash"
	}
	name, token := variable, env.ContainerAuthorizationToken
	if file := os.Getenv(variable + "_FILE"); file != "" {
		read, err := os.ReadFile(file)
		if err != nil {
			return "" // told by who needs it, with the file's name
		}
		name, token = file+" ("+variable+"_FILE)", string(read)
	}
	if strings.ContainsAny(token, "\r\n") {
		return name + " has a line end in it: write it again, without that"
	}
	return ""
}

// setBy names what sets something: a variable, or a key of the profile.
func setBy(variable, key string, shared config.SharedConfig) string {
	if os.Getenv(variable) != "" {
		return variable
	}
	return key + " of the profile " + strconv.Quote(cmp.Or(shared.Profile, "default"))
}

// addressFault names what is wrong with the address of an endpoint, or is empty.
func addressFault(name, address string) string {
	if address == "" {
		return ""
	}
	u, err := url.Parse(address)
	if err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" &&
		u.User == nil {
		return ""
	}
	shown := protocol.Quote(address)
	if strings.Contains(address, "@") {
		shown = "(not shown: it has an @ in it)"
	}
	return name + " is " + shown + ", want an address as in https://host or http://host:port"
}
