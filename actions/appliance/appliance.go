// Package appliance sets up a network appliance that runs in an instance, and gives it its role
// back.
//
// What is set up are attributes of the instance: the appliance's password, its licence, its
// configuration and its role. Each is read before it is changed, and read back. A role leads back
// to the one before. Nothing takes back a password, a licence or a configuration, so the undo
// leaves them, and says so.
//
// What can't be read while the appliance has its first password is unread. An undo never leads
// there: a role that was set before anybody could read what was there stays.
package appliance

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"aws-provider-executor/pkg/action"
	device "aws-provider-executor/pkg/appliance"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// Reader is what the verbs read with.
type Reader interface {
	// AwaitAppliance looks at an appliance once it answers, and waits for that for a part of the time.
	AwaitAppliance(ctx context.Context, o device.Order) (device.Seen, error)
	// LookAtAppliance looks at it once.
	LookAtAppliance(ctx context.Context, o device.Order) (device.Seen, error)
	// ReadApplianceSecrets tries that a licence, and the secret to synchronise by, can be read.
	ReadApplianceSecrets(ctx context.Context, o device.Order, license, sync bool) error
	DescribeInstance(ctx context.Context, id string) (ec2model.Instance, error)
}

// Writer is what the verbs change with.
type Writer interface {
	SetAppliancePassword(ctx context.Context, o device.Order) error
	UploadApplianceLicense(ctx context.Context, o device.Order) error
	ConfigureAppliance(ctx context.Context, o device.Order) error
	SetApplianceRole(ctx context.Context, o device.Order, r device.Role) error
}

const (
	callInstances = "ec2:DescribeInstances"

	// These calls are an appliance's, not AWS's.
	callPassword  = "set-password"
	callLicense   = "upload-license"
	callConfigure = "apply-configuration"
	callRole      = "set-role"

	paramDriver        = "driver"
	paramPort          = "port"
	paramPin           = "certificateSha256"
	paramServerName    = "tlsServerName"
	paramAdministrator = "administrator"
	paramSecret        = "adminSecretRef"
	paramLicenseFile   = "licenseFileRef"
	paramLicenseToken  = "licenseTokenRef"
	paramTemplates     = "templates"
	paramProbe         = "probePort"
	paramRole          = "role"
	paramPrimary       = "primaryAddress"
	paramSyncInterface = "syncInterface"
	paramSyncSecret    = "syncSecretRef"

	factPrior         = "priorRole"
	factRole          = "applianceRole"
	factSerial        = "applianceSerial"
	factVersion       = "applianceVersion"
	factLicense       = "licenseStatus"
	factConfiguration = "configurationDigest"
	factRestored      = "restoredRole"

	defaultDriver, defaultPort, defaultAdministrator = "fortigate", "443", "admin"
)

// The attributes of the instance.
const (
	attrPassword      = "appliancePassword"
	attrLicense       = "applianceLicense"
	attrConfiguration = "applianceConfiguration"
	attrRole          = "applianceRole"
)

// The values of the attributes.
const (
	// unread is a value that can't be read while the appliance has its first password.
	unread = "unread"
	// first and set are those of the password.
	first, set = "first", "set"
	// none and valid are those of the licence; none is that of the configuration, too.
	none, valid = "none", "valid"
	// applied begins the value of a configuration that ran whole, partly that of one that did not, or
	// that does not show as it should. It begins a role, too, of which a part was refused, or is not
	// what was asked for.
	applied, partly = "applied:", "partly:"
)

// The families of parameters.
var (
	paramValue = action.Field{Name: "value.<name>", Key: valueName, Form: configValue,
		Decides: true, EmptyCounts: true, Newer: true,
		Doc: "a value that templates may name, as `{{.Values.name}}`"}
	paramNamedSecret = action.Field{Name: "templateSecretRef.<name>", Key: valueName, Form: secretRef,
		Decides: true, Newer: true,
		Doc: "a secret that templates may name, as `{{.Secrets.name}}`, by reference"}
	paramTunnel = action.Field{Name: "tunnel.<name>", Key: interfaceName, Form: tunnelEnd,
		Decides: true, Newer: true,
		Doc: "a GENEVE tunnel: the appliance's interface and the address of the gateway load " +
			"balancer there"}
)

// Verbs returns the pair.
func Verbs() []action.Verb {
	target := []action.Field{
		{Name: "instanceRef", Form: action.InstanceID, Required: true, Exclusive: true, Decides: true,
			Newer: true, Doc: "the instance that the appliance is; its id is its first password"},
		{Name: "region", Form: action.Region, Required: true, Decides: true, Newer: true,
			Doc: "the instance's region"},
		{Name: "address", Form: managementAddress, Required: true, Decides: true, Newer: true,
			Doc: "where the appliance is managed"},
	}
	prior := action.Field{Name: factPrior, Form: roleFound,
		Doc: "the role before the action, or `unread`"}
	found := action.Field{Name: factRole, Form: roleFound, Doc: "the role, read back"}
	givenPrior, givenRole := prior, found
	givenPrior.Newer, givenRole.Newer = true, true
	return []action.Verb{
		{
			Name: "configure-appliance", Undo: "restore-appliance-role",
			Risk: action.Risk{Level: action.High,
				Doc: "What goes through the appliance goes by its new configuration. Nothing takes back " +
					"its password, its licence or its configuration."},
			Doc: "Sets up an appliance. It gets its first password, its licence, its configuration " +
				"and its role, each read before and read back. What is so already is left alone.",
			Target: target, Parameters: append(reaching(true), parameters()...),
			Facts: slices.Concat(facts(), []action.Field{prior, found}, reaching(false)),
			Plan:  action.PlanWith(planConfigure),
		},
		{
			Name: "restore-appliance-role",
			Risk: action.Risk{Level: action.High,
				Doc: "The members of a group go by another primary."},
			Doc: "Gives an appliance its former role back. That is the one it had before " +
				"`configure-appliance`. Its password, its licence and its configuration stay.",
			Target: target,
			Parameters: slices.Concat(reaching(true), []action.Field{givenPrior, givenRole,
				action.OnDrift, action.IgnoreHolders}),
			Facts: []action.Field{prior, {Name: factRestored, Form: roleFound,
				Doc: "the role after the undo, read back"}},
			Permissions: []action.Permission{{Action: callInstances, Resource: "*",
				For: "telling an appliance that is gone from one that does not answer"}},
			Plan: action.PlanWith(planRestore),
		},
	}
}

// reaching are the fields by which an appliance is reached. An action tells them as facts, so that
// its undo has them.
func reaching(given bool) []action.Field {
	all := []action.Field{
		{Name: paramSecret, Form: secretRef, Required: given, Decides: true,
			Doc: "the password that the appliance is to have, by reference. The executor's role has to be " +
				"allowed to read what references lead to"},
		{Name: paramDriver, Form: action.OneOf(defaultDriver, "hook"), Decides: true,
			Default: defaultDriver,
			Doc: "how the appliance is driven (default `fortigate`): by its REST API, or by the program " +
				"that `APPLIANCE_HOOK` names"},
		{Name: paramAdministrator, Form: administratorName, Decides: true,
			Default: defaultAdministrator, Doc: "who logs in (default `admin`)"},
		{Name: paramPort, Form: portNumber, Doc: "the port of its HTTPS (default `443`)"},
		{Name: paramPin, Form: certificateDigest,
			Doc: "the SHA-256 digest of its certificate; without it `APPLIANCE_CA_FILE` has to be set"},
		{Name: paramServerName, Form: hostName,
			Doc: "the name in its certificate, where that is not its address"},
	}
	for i := range all {
		all[i].Newer = given
		if !given {
			all[i].Decides, all[i].Default = false, ""
			all[i].Doc = "as it was given"
		}
	}
	return all
}

func parameters() []action.Field {
	all := []action.Field{
		{Name: paramLicenseFile, Form: licenseRef, Doc: "a licence file to upload, by reference"},
		{Name: paramLicenseToken, Form: licenseRef, Doc: "a licence token to use, by reference"},
		{Name: paramTemplates, Form: action.ListOf(templateName),
			Doc: "templates of the configuration, in order: files in `APPLIANCE_TEMPLATE_DIR`"},
		{Name: paramProbe, Form: portNumber, Doc: "the port on which the appliance answers probes"},
		{Name: paramRole, Form: action.OneOf(device.Primary, device.Secondary),
			Doc: "the role that it is to have in its group"},
		{Name: paramPrimary, Form: action.HostIPv4,
			Doc: "the address of the group's primary; required for a secondary"},
		{Name: paramSyncInterface, Form: interfaceName,
			Doc: "the interface by which the members synchronise; required for the first role"},
		{Name: paramSyncSecret, Form: secretRef,
			Doc: "the secret by which they do, by reference; required for the first role"},
	}
	for i := range all {
		all[i].Decides, all[i].Newer = true, true
	}
	return append(all, paramTunnel, paramValue, paramNamedSecret)
}

func facts() []action.Field {
	return []action.Field{
		{Name: factSerial, Form: action.Text, Doc: "the serial number that the appliance tells"},
		{Name: factVersion, Form: action.Text, Doc: "the version that it tells"},
		{Name: factLicense, Form: action.Text, Doc: "its own word for its licence"},
		{Name: factConfiguration, Form: action.Text,
			Doc: "the SHA-256 digest of the configuration, over the references of its secrets"},
	}
}

// orderOf takes what a request says of its appliance.
func orderOf(req action.Request) device.Order {
	given := req.Parameters
	or := func(name, otherwise string) string {
		if text := given[name]; text != "" {
			return text
		}
		return otherwise
	}
	// The forms of the fields allow nothing but numbers.
	port, _ := strconv.Atoi(or(paramPort, defaultPort))
	probe, _ := strconv.Atoi(or(paramProbe, "0"))
	o := device.Order{
		Driver: or(paramDriver, defaultDriver), Instance: req.Target["instanceRef"],
		Region: req.Target["region"], Address: req.Target["address"], Port: port,
		Pin: given[paramPin], ServerName: given[paramServerName],
		Administrator: or(paramAdministrator, defaultAdministrator), Secret: given[paramSecret],
		LicenseFile: given[paramLicenseFile], LicenseToken: given[paramLicenseToken],
		ProbePort: probe, Role: device.Role{Kind: given[paramRole], Primary: given[paramPrimary]},
		SyncInterface: given[paramSyncInterface], SyncSecret: given[paramSyncSecret],
		Values: family(paramValue, given), Secrets: family(paramNamedSecret, given),
	}
	if given[paramTemplates] != "" {
		o.Templates = strings.Split(given[paramTemplates], ",")
	}
	for name, end := range family(paramTunnel, given) {
		from, to, _ := strings.Cut(end, ":")
		o.Tunnels = append(o.Tunnels, device.Tunnel{Name: name, Interface: from, Remote: to})
	}
	slices.SortFunc(o.Tunnels, func(a, b device.Tunnel) int { return strings.Compare(a.Name, b.Name) })
	return o
}

// family are the values of a family's members among some, by member.
func family(f action.Field, given map[string]string) map[string]string {
	prefix, all := f.Of(""), map[string]string{}
	for name, value := range given {
		if f.Matches(name) {
			all[strings.TrimPrefix(name, prefix)] = value
		}
	}
	return all
}

// wasSet reports whether an action of this program is known to have set the password.
func wasSet(req action.Request, instance string) bool {
	all, err := req.History(instance, attrPassword)
	return err == nil && slices.ContainsFunc(all, func(r action.Recorded) bool {
		return r.To == set && !r.Begun()
	})
}

// roleValue is the value of a role.
func roleValue(s device.Seen) string {
	if s.FirstPassword {
		return unread
	}
	if s.RolePartly {
		return partly + s.Role.String()
	}
	return s.Role.String()
}

// wholly is a role without the mark that a part of it was refused.
func wholly(role string) string { return strings.TrimPrefix(role, partly) }

func roleAt(instance, now string) action.At {
	return action.At{Resource: instance, Attribute: attrRole, Now: now,
		What: "the role of the appliance in " + instance}
}

// told are the facts of what was read.
func told(o device.Order, s device.Seen) map[string]string {
	facts := map[string]string{
		paramDriver: o.Driver, paramAdministrator: o.Administrator, paramSecret: o.Secret,
		paramPort: strconv.Itoa(o.Port), paramPin: o.Pin, paramServerName: o.ServerName,
	}
	if !s.FirstPassword {
		facts[factSerial], facts[factVersion] = s.Serial, s.Version
		facts[factLicense] = s.LicenseStatus
		if last, ok := s.Latest(); ok {
			facts[factConfiguration] = last.Digest
		}
	}
	return facts
}

// setRole gives an appliance a role.
func setRole(o device.Order) action.SetFunc {
	return action.SetWith(func(ctx context.Context, w Writer, _, to string) error {
		role, ok := device.ParseRole(wholly(to))
		if !ok {
			return protocol.Refuse(protocol.Internal, "%s is no role that can be set", to)
		}
		return w.SetApplianceRole(ctx, o, role)
	})
}
