package fenceagent

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

// The texts of the agent as a whole.
const (
	shortdesc = "Fence agent for EC2 instances, by the security groups of all their interfaces"
	vendorURL = "https://aws.amazon.com/ec2/"
)

// longdesc has a paragraph a line.
const longdesc = `fence_aws_executor cuts an EC2 instance off the network by the security groups ` +
	`of every one of its interfaces, and gives them back when it is unfenced.
An instance is off when every interface is read back to have the groups of the fence, or when it ` +
	`is read twice to be stopped or terminated. What can't be known is a failure, and never off. ` +
	`status goes by the groups; tags are no evidence.
Security groups do not end connections that are tracked already: they may go on. ` +
	`onfence_poweroff=1 ends them for sure; transition_sg ends most of them.
There is no reboot: a cluster then takes off for it. Unfence the node when it may come back.
In a cluster of two nodes that fence each other, give one of them a delay. A tag as a lease is ` +
	`not enough: EC2 has no compare-and-swap, so both may take it.
Credentials are those that the AWS SDK finds by itself: the instance profile, or the AWS ` +
	`configuration files of root.`

// knownActions are what the agent can be told to do, as the metadata lists it.
var knownActions = []string{"on", "off", "status", "list", "list-status", "monitor", "metadata",
	"manpage", "validate-all"}

// escaped is a text inside XML.
func escaped(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder takes everything
	return b.String()
}

// writeMetadata writes what the agent is and takes, as clusters and the tools of fence-agents
// read it.
func writeMetadata(w io.Writer, name string) {
	fmt.Fprintf(w, "<?xml version=\"1.0\" ?>\n<resource-agent name=%q shortdesc=%q>\n", name,
		escaped(shortdesc))
	fmt.Fprintf(w, "<longdesc>%s</longdesc>\n<vendor-url>%s</vendor-url>\n<parameters>\n",
		escaped(strings.ReplaceAll(longdesc, "\n", "\n\n")), vendorURL)
	for _, o := range options() {
		obsoletes, deprecated := "", ""
		if o.refused != "" {
			deprecated = ` deprecated="1"`
		}
		if o.listed {
			obsoletes = fmt.Sprintf(" obsoletes=%q", o.old[0])
			o.writeParameter(w, o.old[0], ` deprecated="1"`)
		}
		o.writeParameter(w, o.name, obsoletes+deprecated)
	}
	fmt.Fprint(w, "</parameters>\n<actions>\n")
	for _, a := range knownActions {
		automatic := ""
		if a == "on" {
			// A cluster then unfences a node before it gives it work.
			automatic = ` automatic="1"`
		}
		fmt.Fprintf(w, "\t<action name=%q%s />\n", a, automatic)
	}
	fmt.Fprint(w, "</actions>\n</resource-agent>\n")
}

func (o option) writeParameter(w io.Writer, name, more string) {
	required, initial := 0, ""
	if o.required {
		required = 1
	}
	if o.initial != "" {
		initial = fmt.Sprintf(" default=%q", escaped(o.initial))
	}
	fmt.Fprintf(w, "\t<parameter name=%q unique=\"0\" required=\"%d\"%s>\n", name, required, more)
	fmt.Fprintf(w, "\t\t<getopt mixed=%q />\n", escaped(o.usage()))
	if o.kind == choice {
		fmt.Fprintf(w, "\t\t<content type=\"select\"%s>\n", initial)
		for _, c := range o.choices {
			fmt.Fprintf(w, "\t\t\t<option value=%q />\n", c)
		}
		fmt.Fprint(w, "\t\t</content>\n")
	} else {
		fmt.Fprintf(w, "\t\t<content type=%q%s />\n", string(o.kind), initial)
	}
	fmt.Fprintf(w, "\t\t<shortdesc lang=\"en\">%s</shortdesc>\n\t</parameter>\n", escaped(o.doc))
}

// usage is the option as the command line has it.
func (o option) usage() string {
	said := o.long()
	if o.takesValue() {
		value := o.value
		if value == "" {
			value = strings.Join(o.choices, "|")
		}
		said += "=[" + value + "]"
	}
	if o.short != 0 {
		said = "-" + string(rune(o.short)) + ", " + said
	}
	return said
}

// helpIndent is where the texts of the help begin.
const helpIndent = 36

// writeHelp tells a person the options, each in a line. What there is to know beside that is in the
// metadata.
func writeHelp(w io.Writer, name string) {
	fmt.Fprintf(w, "Usage:\n  %s [options]\n  %s < FILE, with a line name=value for each option\n"+
		"Actions:\n  %s\nOptions; man %s tells more:\n",
		name, name, strings.Join(knownActions, ", "), name)
	for _, o := range options() {
		switch {
		case o.name == positionOption(0):
			helpLine(w, "--interfaceN-sg=["+o.value+"]", "Exact groups of the interface EC2 lists as N")
		case o.name == deviceOption(0):
			helpLine(w, "--deviceN-sg=["+o.value+"]", fmt.Sprintf("The same by device index; N is 0 to %d",
				interfaces-1))
		case !isOfInterface(o.name):
			helpLine(w, o.usage(), o.inBrief())
		}
	}
	fmt.Fprintf(w, "Exit: 0 done, or on; 1 failed, or wrong usage; 2 off, of status alone.\n"+
		"Examples:\n  %s --action=status --plug=db-1 --secg=sg-0123456789abcdef0\n"+
		"  %[1]s --action=list\n", name)
}

func helpLine(w io.Writer, usage, about string) {
	fmt.Fprintf(w, "  %-*s %s\n", helpIndent-3, usage, about)
}

// inBrief is what the help says of an option.
func (o option) inBrief() string {
	said := o.brief
	if said == "" {
		said = strings.TrimSuffix(o.doc, ".")
	}
	if o.initial != "" && o.initial != "0" && o.kind != boolean {
		said += " (default " + o.initial + ")"
	}
	return said
}
