# vitis_hls as strict as can be: a command, option or value that a version of the tool does not
# have is an error, and so is a step out of order or a file that is not there.
#   tclsh strict_vitis.tcl VERSION SCRIPT
# What each command was given is appended to calls.log in the directory that it is run in.

lassign $argv version script
if {$version ni {2022.2 2023.1 2023.2 2024.1 2024.2 2025.1 2025.2}} {
    puts stderr "no such version: $version"
    exit 9
}
set state [dict create project {} top {} files {} tb {} solution {} part {} clock {} synthesised 0]

proc refuse {message} {
    puts stderr "STRICT: $message"
    exit 9
}
proc unknown {args} {
    refuse "there is no command [lindex $args 0]"
}

# options: name -> kind: `flag`, `any`, `number` or {one of these words}
proc parse {command arguments options count} {
    set log [open calls.log a]
    puts $log [list $command {*}$arguments]
    close $log
    set given [dict create]
    set positional {}
    for {set i 0} {$i < [llength $arguments]} {incr i} {
        set word [lindex $arguments $i]
        if {[string match -* $word]} {
            if {![dict exists $options $word]} {
                refuse "$command has no option $word"
            }
            set kind [dict get $options $word]
            if {$kind eq "flag"} {
                dict set given $word 1
                continue
            }
            incr i
            if {$i >= [llength $arguments]} {
                refuse "$command $word wants a value"
            }
            set value [lindex $arguments $i]
            if {$kind eq "number"} {
                if {![string is double -strict $value] || $value <= 0} {
                    refuse "$command $word $value should be a number"
                }
            } elseif {$kind ne "any" && $value ni $kind} {
                refuse "$command $word $value should be one of $kind"
            }
            dict set given $word $value
        } else {
            lappend positional $word
        }
    }
    if {[llength $positional] != $count} {
        refuse "$command takes $count arguments, not: $positional"
    }
    return [list $given $positional]
}
proc need {key command} {
    global state
    if {[dict get $state $key] in {{} 0}} {
        refuse "$command before there is a $key"
    }
}
proc open_project {args} {
    global state
    lassign [parse open_project $args {-reset flag -upgrade flag} 1] given names
    set name [lindex $names 0]
    if {[dict exists $given -reset]} {
        file delete -force $name
    }
    file mkdir $name
    dict set state project $name
}
proc set_top {args} {
    global state
    need project set_top
    lassign [parse set_top $args {} 1] given names
    dict set state top [lindex $names 0]
}
proc add_files {args} {
    global state
    need project add_files
    set options {-tb flag -cflags any -csimflags any -blackbox any}
    lassign [parse add_files $args $options 1] given names
    set file [lindex $names 0]
    if {![file isfile $file]} {
        refuse "add_files: there is no file $file"
    }
    foreach flag [split [dict get $given -cflags]] {
        if {[string match -I* $flag] && ![file isdirectory [string range $flag 2 end]]} {
            refuse "add_files: there is no directory $flag"
        }
        if {![regexp {^-(I|std=c\+\+14$|Wno-unknown-pragmas$)} $flag]} {
            refuse "add_files: no such flag of the compiler: $flag"
        }
    }
    set key [expr {[dict exists $given -tb] ? "tb" : "files"}]
    dict lappend state $key $file
}
proc open_solution {args} {
    global state
    need project open_solution
    set options {-reset flag -flow_target {vivado vitis}}
    lassign [parse open_solution $args $options 1] given names
    set path [file join [dict get $state project] [lindex $names 0]]
    if {![dict exists $given -reset] && ![file isdirectory $path]} {
        refuse "open_solution: there is no solution $path to go on with"
    }
    file mkdir $path
    dict set state solution $path
    if {[file isdirectory $path/syn]} {
        dict set state synthesised 1
        foreach key {part clock top files} {
            dict set state $key kept
        }
    }
}
proc set_part {args} {
    global state
    need solution set_part
    lassign [parse set_part $args {} 1] given names
    if {![regexp {^x[a-z0-9]+(-[A-Za-z0-9]+)+$} [lindex $names 0]]} {
        refuse "set_part: $names is no part"
    }
    dict set state part [lindex $names 0]
}
proc create_clock {args} {
    global state
    need solution create_clock
    lassign [parse create_clock $args {-period number -name any} 0] given names
    dict set state clock [dict get $given -period]
}
proc set_clock_uncertainty {args} {
    need clock set_clock_uncertainty
    lassign [parse set_clock_uncertainty $args {} 1] given names
    if {![string is double -strict $names] || $names >= [dict get $::state clock]} {
        refuse "set_clock_uncertainty: $names is no part of the clock"
    }
}
proc config_rtl {args} {
    need solution config_rtl
    parse config_rtl $args {-module_auto_prefix flag -reset {none control state all}} 0
}
proc config_export {args} {
    need solution config_export
    set options {-vivado_clock number -format {ip_catalog xo syn_dcp sysgen} -flow {none syn impl}}
    parse config_export $args $options 0
}
proc csim_design {args} {
    need files csim_design
    need tb csim_design
    parse csim_design $args {-argv any -clean flag -O flag -setup flag} 0
}
proc csynth_design {args} {
    global state
    foreach key {top files part clock} {
        need $key csynth_design
    }
    parse csynth_design $args {} 0
    file mkdir [dict get $state solution]/syn
    dict set state synthesised 1
}
proc cosim_design {args} {
    need synthesised cosim_design
    parse cosim_design $args {-rtl {verilog vhdl} -argv any -O flag -random_stall flag} 0
}
proc export_design {args} {
    global state
    need synthesised export_design
    set options {
        -format {ip_catalog xo syn_dcp sysgen} -rtl {verilog vhdl} -flow {syn impl}
        -vendor any -library any -ipname any -version any -output any -display_name any
    }
    parse export_design $args $options 0
    file mkdir [dict get $state solution]/impl
    set archive [open [dict get $state solution]/impl/export.zip w]
    puts $archive "of $::version"
    close $archive
}
if {[info exists env(STRICT_VITIS_FAILS)] && $env(STRICT_VITIS_FAILS) ne ""} {
    proc $env(STRICT_VITIS_FAILS) {args} {
        error "the testbench returned 1"
    }
}
set argv {}
set argc 0
source $script
exit 0
