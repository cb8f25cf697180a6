# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_cdsync_global_optspecs
    string join \n config= log-format= log-level= h/help V/version
end

function __fish_cdsync_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_cdsync_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_cdsync_using_subcommand
    set -l cmd (__fish_cdsync_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c cdsync -n "__fish_cdsync_needs_command" -l config -d 'The configuration file' -r -F
complete -c cdsync -n "__fish_cdsync_needs_command" -l log-format -d 'Form of the log on stderr; auto takes the journal under systemd, pretty on a terminal, json otherwise' -r -f -a "auto\t''
json\t''
pretty\t''
journald\t''"
complete -c cdsync -n "__fish_cdsync_needs_command" -l log-level -d 'Least important events to log' -r -f -a "error\t''
warn\t''
info\t''
debug\t''
trace\t''"
complete -c cdsync -n "__fish_cdsync_needs_command" -s h -l help -d 'Print help'
complete -c cdsync -n "__fish_cdsync_needs_command" -s V -l version -d 'Print version'
complete -c cdsync -n "__fish_cdsync_needs_command" -f -a "demo" -d 'Try everything without any configuration: runs the flows on the embedded sandbox and compares every record on both sides'
complete -c cdsync -n "__fish_cdsync_needs_command" -f -a "sandbox" -d 'Run look-alikes of Dynamics and Campaign on this machine'
complete -c cdsync -n "__fish_cdsync_needs_command" -f -a "init" -d 'Write a commented configuration'
complete -c cdsync -n "__fish_cdsync_needs_command" -f -a "check" -d 'Look the configuration over, then ask both systems whether it fits'
complete -c cdsync -n "__fish_cdsync_needs_command" -f -a "tables" -d 'Show the tables of Dynamics, or the columns of one'
complete -c cdsync -n "__fish_cdsync_needs_command" -f -a "resources" -d 'Show the resources of Campaign, or the fields of one'
complete -c cdsync -n "__fish_cdsync_needs_command" -f -a "provision" -d 'Set up Dynamics: make the activity tables, turn change tracking on'
complete -c cdsync -n "__fish_cdsync_needs_command" -f -a "run" -d 'Run the daemon: passes by their schedule, until SIGTERM'
complete -c cdsync -n "__fish_cdsync_needs_command" -f -a "sync" -d 'Run one pass of the flows until their backlog is empty'
complete -c cdsync -n "__fish_cdsync_needs_command" -f -a "plan" -d 'Show what a pass would write, and why; writes nothing'
complete -c cdsync -n "__fish_cdsync_needs_command" -f -a "resync" -d 'Send rows again, or compare both systems and mend what differs'
complete -c cdsync -n "__fish_cdsync_needs_command" -f -a "pause" -d 'Keep the daemon from running a flow, until it is resumed'
complete -c cdsync -n "__fish_cdsync_needs_command" -f -a "resume" -d 'Let the daemon run a paused flow again'
complete -c cdsync -n "__fish_cdsync_needs_command" -f -a "status" -d 'Show flows, tables, systems, backlog and dead letters'
complete -c cdsync -n "__fish_cdsync_needs_command" -f -a "trace" -d 'Tell one record\'s story: versions read, decisions, requests, waits'
complete -c cdsync -n "__fish_cdsync_needs_command" -f -a "dead-letters" -d 'Look at records that were given up, retry or discard them'
complete -c cdsync -n "__fish_cdsync_needs_command" -f -a "approve-deletes" -d 'Release the deletions of a table that the delete guard holds'
complete -c cdsync -n "__fish_cdsync_needs_command" -f -a "discard-table" -d 'Discard what is left of a table that is no longer mapped'
complete -c cdsync -n "__fish_cdsync_needs_command" -f -a "optouts" -d 'Look into the opt-out ledger, or export it: who is opted out, who said so, why it was decided so'
complete -c cdsync -n "__fish_cdsync_needs_command" -f -a "approve-optouts" -d 'Release the opt-outs that would be lifted and that the clearing guard holds; they go at the next pass'
complete -c cdsync -n "__fish_cdsync_needs_command" -f -a "forget" -d 'Erase what the store knows of a person, or of any other record'
complete -c cdsync -n "__fish_cdsync_needs_command" -f -a "manual" -d 'Write man pages, completions and the example configuration, for packages'
complete -c cdsync -n "__fish_cdsync_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c cdsync -n "__fish_cdsync_using_subcommand demo" -l contacts -d 'Contacts to begin with' -r
complete -c cdsync -n "__fish_cdsync_using_subcommand demo" -l seed -d 'Seed of the data; the same seed gives the same run' -r
complete -c cdsync -n "__fish_cdsync_using_subcommand demo" -l config -d 'The configuration file' -r -F
complete -c cdsync -n "__fish_cdsync_using_subcommand demo" -l log-format -d 'Form of the log on stderr; auto takes the journal under systemd, pretty on a terminal, json otherwise' -r -f -a "auto\t''
json\t''
pretty\t''
journald\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand demo" -l log-level -d 'Least important events to log' -r -f -a "error\t''
warn\t''
info\t''
debug\t''
trace\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand demo" -l json -d 'Print JSON in place of a table'
complete -c cdsync -n "__fish_cdsync_using_subcommand demo" -s h -l help -d 'Print help'
complete -c cdsync -n "__fish_cdsync_using_subcommand sandbox" -l listen -d 'Address to listen on; loopback only' -r
complete -c cdsync -n "__fish_cdsync_using_subcommand sandbox" -l seed -d 'Seed of the data' -r
complete -c cdsync -n "__fish_cdsync_using_subcommand sandbox" -l contacts -d 'Contacts to begin with; a vehicle for four, a service visit for two [default: 200, or none with --data]' -r
complete -c cdsync -n "__fish_cdsync_using_subcommand sandbox" -l schema -d 'Tables and resources of your own, as TOML or JSON; may be given several times' -r -F
complete -c cdsync -n "__fish_cdsync_using_subcommand sandbox" -l data -d 'Rows from CSV or JSON: a file called as its table or resource, a folder of such files, or TABLE=FILE; may be given several times' -r
complete -c cdsync -n "__fish_cdsync_using_subcommand sandbox" -l faults -d 'Faults to play, as TOML or JSON' -r -F
complete -c cdsync -n "__fish_cdsync_using_subcommand sandbox" -l variant -d 'Behave in another way where the vendors\' documents leave it open; may be given several times' -r
complete -c cdsync -n "__fish_cdsync_using_subcommand sandbox" -l log -d 'Where each request is written as a line: a file, `-` for stderr, or `none`; as JSON with --log-format json [default: - on a terminal]' -r
complete -c cdsync -n "__fish_cdsync_using_subcommand sandbox" -l write-config -d 'Write a configuration that points here, with its secrets beside it' -r -F
complete -c cdsync -n "__fish_cdsync_using_subcommand sandbox" -l mailings -d 'E-mails to each contact, with what came of them in the journal and in log files' -r
complete -c cdsync -n "__fish_cdsync_using_subcommand sandbox" -l listen-sftp -d 'Address of the SFTP server; port 0 takes a free one' -r
complete -c cdsync -n "__fish_cdsync_using_subcommand sandbox" -l tls -d 'Speak TLS too, on the same port; FILE receives the certificate to trust' -r -F
complete -c cdsync -n "__fish_cdsync_using_subcommand sandbox" -l config -d 'The configuration file' -r -F
complete -c cdsync -n "__fish_cdsync_using_subcommand sandbox" -l log-format -d 'Form of the log on stderr; auto takes the journal under systemd, pretty on a terminal, json otherwise' -r -f -a "auto\t''
json\t''
pretty\t''
journald\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand sandbox" -l log-level -d 'Least important events to log' -r -f -a "error\t''
warn\t''
info\t''
debug\t''
trace\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand sandbox" -l list-variants -d 'Print the variants with what they take, and end'
complete -c cdsync -n "__fish_cdsync_using_subcommand sandbox" -l force -d 'Overwrite the file of --write-config, and remove the store beside it, whoever wrote them'
complete -c cdsync -n "__fish_cdsync_using_subcommand sandbox" -l without-activity-tables -d 'Leave out the activity tables of mail events, for `provision` to create'
complete -c cdsync -n "__fish_cdsync_using_subcommand sandbox" -s h -l help -d 'Print help'
complete -c cdsync -n "__fish_cdsync_using_subcommand init" -l template -d 'Write this ready-made mapping in place of the example; may be given several times. `list` shows their names' -r
complete -c cdsync -n "__fish_cdsync_using_subcommand init" -l config -d 'The configuration file' -r -F
complete -c cdsync -n "__fish_cdsync_using_subcommand init" -l log-format -d 'Form of the log on stderr; auto takes the journal under systemd, pretty on a terminal, json otherwise' -r -f -a "auto\t''
json\t''
pretty\t''
journald\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand init" -l log-level -d 'Least important events to log' -r -f -a "error\t''
warn\t''
info\t''
debug\t''
trace\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand init" -l from-metadata -d 'Read the existing configuration\'s systems and write mappings of what both of them have'
complete -c cdsync -n "__fish_cdsync_using_subcommand init" -l force -d 'Overwrite an existing file'
complete -c cdsync -n "__fish_cdsync_using_subcommand init" -s h -l help -d 'Print help'
complete -c cdsync -n "__fish_cdsync_using_subcommand check" -l config -d 'The configuration file' -r -F
complete -c cdsync -n "__fish_cdsync_using_subcommand check" -l log-format -d 'Form of the log on stderr; auto takes the journal under systemd, pretty on a terminal, json otherwise' -r -f -a "auto\t''
json\t''
pretty\t''
journald\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand check" -l log-level -d 'Least important events to log' -r -f -a "error\t''
warn\t''
info\t''
debug\t''
trace\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand check" -l offline -d 'Look at the file and at the secrets that it names; contact nobody'
complete -c cdsync -n "__fish_cdsync_using_subcommand check" -l json -d 'Print JSON in place of a table'
complete -c cdsync -n "__fish_cdsync_using_subcommand check" -s h -l help -d 'Print help'
complete -c cdsync -n "__fish_cdsync_using_subcommand tables" -l config -d 'The configuration file' -r -F
complete -c cdsync -n "__fish_cdsync_using_subcommand tables" -l log-format -d 'Form of the log on stderr; auto takes the journal under systemd, pretty on a terminal, json otherwise' -r -f -a "auto\t''
json\t''
pretty\t''
journald\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand tables" -l log-level -d 'Least important events to log' -r -f -a "error\t''
warn\t''
info\t''
debug\t''
trace\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand tables" -l json -d 'Print JSON in place of a table'
complete -c cdsync -n "__fish_cdsync_using_subcommand tables" -s h -l help -d 'Print help'
complete -c cdsync -n "__fish_cdsync_using_subcommand resources" -l config -d 'The configuration file' -r -F
complete -c cdsync -n "__fish_cdsync_using_subcommand resources" -l log-format -d 'Form of the log on stderr; auto takes the journal under systemd, pretty on a terminal, json otherwise' -r -f -a "auto\t''
json\t''
pretty\t''
journald\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand resources" -l log-level -d 'Least important events to log' -r -f -a "error\t''
warn\t''
info\t''
debug\t''
trace\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand resources" -l json -d 'Print JSON in place of a table'
complete -c cdsync -n "__fish_cdsync_using_subcommand resources" -s h -l help -d 'Print help'
complete -c cdsync -n "__fish_cdsync_using_subcommand provision" -l change-tracking -d 'Turn change tracking of this table on and publish it, instead of making the activity tables; needs customiser rights, and cannot be undone. May be given several times' -r
complete -c cdsync -n "__fish_cdsync_using_subcommand provision" -l alternate-key -d 'Make an alternate key of these columns, and wait for its index, instead of making the activity tables. May be given several times' -r
complete -c cdsync -n "__fish_cdsync_using_subcommand provision" -l solution -d 'The solution that the activity tables lie in' -r
complete -c cdsync -n "__fish_cdsync_using_subcommand provision" -l publisher -d 'The solution\'s publisher, if it is new [default: the one with the prefix, or else cdsync]' -r
complete -c cdsync -n "__fish_cdsync_using_subcommand provision" -l config -d 'The configuration file' -r -F
complete -c cdsync -n "__fish_cdsync_using_subcommand provision" -l log-format -d 'Form of the log on stderr; auto takes the journal under systemd, pretty on a terminal, json otherwise' -r -f -a "auto\t''
json\t''
pretty\t''
journald\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand provision" -l log-level -d 'Least important events to log' -r -f -a "error\t''
warn\t''
info\t''
debug\t''
trace\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand provision" -l dry-run -d 'Print the requests that would be sent; change nothing'
complete -c cdsync -n "__fish_cdsync_using_subcommand provision" -l json -d 'Print JSON in place of a table'
complete -c cdsync -n "__fish_cdsync_using_subcommand provision" -s h -l help -d 'Print help'
complete -c cdsync -n "__fish_cdsync_using_subcommand run" -l config -d 'The configuration file' -r -F
complete -c cdsync -n "__fish_cdsync_using_subcommand run" -l log-format -d 'Form of the log on stderr; auto takes the journal under systemd, pretty on a terminal, json otherwise' -r -f -a "auto\t''
json\t''
pretty\t''
journald\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand run" -l log-level -d 'Least important events to log' -r -f -a "error\t''
warn\t''
info\t''
debug\t''
trace\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand run" -s h -l help -d 'Print help'
complete -c cdsync -n "__fish_cdsync_using_subcommand sync" -l patience -d 'Give up after this long without progress' -r
complete -c cdsync -n "__fish_cdsync_using_subcommand sync" -l config -d 'The configuration file' -r -F
complete -c cdsync -n "__fish_cdsync_using_subcommand sync" -l log-format -d 'Form of the log on stderr; auto takes the journal under systemd, pretty on a terminal, json otherwise' -r -f -a "auto\t''
json\t''
pretty\t''
journald\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand sync" -l log-level -d 'Least important events to log' -r -f -a "error\t''
warn\t''
info\t''
debug\t''
trace\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand sync" -l via-daemon -d 'Let the running daemon do it now, and wait for the end'
complete -c cdsync -n "__fish_cdsync_using_subcommand sync" -s h -l help -d 'Print help'
complete -c cdsync -n "__fish_cdsync_using_subcommand plan" -l config -d 'The configuration file' -r -F
complete -c cdsync -n "__fish_cdsync_using_subcommand plan" -l log-format -d 'Form of the log on stderr; auto takes the journal under systemd, pretty on a terminal, json otherwise' -r -f -a "auto\t''
json\t''
pretty\t''
journald\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand plan" -l log-level -d 'Least important events to log' -r -f -a "error\t''
warn\t''
info\t''
debug\t''
trace\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand plan" -l show-values -d 'Show the values, too: personal data'
complete -c cdsync -n "__fish_cdsync_using_subcommand plan" -l json -d 'Print JSON in place of a table'
complete -c cdsync -n "__fish_cdsync_using_subcommand plan" -s h -l help -d 'Print help'
complete -c cdsync -n "__fish_cdsync_using_subcommand resync" -l table -d 'A mapped table, all of its rows; may be given several times' -r
complete -c cdsync -n "__fish_cdsync_using_subcommand resync" -l id -d 'Only these records; looked for in every mapped table, if none is named' -r
complete -c cdsync -n "__fish_cdsync_using_subcommand resync" -l since -d 'Only rows that Dynamics changed at this time or later, as in 2026-03-01T06:00:00Z or 2026-03-01' -r
complete -c cdsync -n "__fish_cdsync_using_subcommand resync" -l patience -d 'Give up after this long without progress' -r
complete -c cdsync -n "__fish_cdsync_using_subcommand resync" -l config -d 'The configuration file' -r -F
complete -c cdsync -n "__fish_cdsync_using_subcommand resync" -l log-format -d 'Form of the log on stderr; auto takes the journal under systemd, pretty on a terminal, json otherwise' -r -f -a "auto\t''
json\t''
pretty\t''
journald\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand resync" -l log-level -d 'Least important events to log' -r -f -a "error\t''
warn\t''
info\t''
debug\t''
trace\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand resync" -l verify -d 'Compare both systems and report what differs; write nothing'
complete -c cdsync -n "__fish_cdsync_using_subcommand resync" -l repair -d 'Compare both systems and mend what differs'
complete -c cdsync -n "__fish_cdsync_using_subcommand resync" -l show-values -d 'Show the values that differ; they may be personal data'
complete -c cdsync -n "__fish_cdsync_using_subcommand resync" -l json -d 'Print JSON in place of a table'
complete -c cdsync -n "__fish_cdsync_using_subcommand resync" -s h -l help -d 'Print help'
complete -c cdsync -n "__fish_cdsync_using_subcommand pause" -l config -d 'The configuration file' -r -F
complete -c cdsync -n "__fish_cdsync_using_subcommand pause" -l log-format -d 'Form of the log on stderr; auto takes the journal under systemd, pretty on a terminal, json otherwise' -r -f -a "auto\t''
json\t''
pretty\t''
journald\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand pause" -l log-level -d 'Least important events to log' -r -f -a "error\t''
warn\t''
info\t''
debug\t''
trace\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand pause" -s h -l help -d 'Print help'
complete -c cdsync -n "__fish_cdsync_using_subcommand resume" -l config -d 'The configuration file' -r -F
complete -c cdsync -n "__fish_cdsync_using_subcommand resume" -l log-format -d 'Form of the log on stderr; auto takes the journal under systemd, pretty on a terminal, json otherwise' -r -f -a "auto\t''
json\t''
pretty\t''
journald\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand resume" -l log-level -d 'Least important events to log' -r -f -a "error\t''
warn\t''
info\t''
debug\t''
trace\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand resume" -s h -l help -d 'Print help'
complete -c cdsync -n "__fish_cdsync_using_subcommand status" -l config -d 'The configuration file' -r -F
complete -c cdsync -n "__fish_cdsync_using_subcommand status" -l log-format -d 'Form of the log on stderr; auto takes the journal under systemd, pretty on a terminal, json otherwise' -r -f -a "auto\t''
json\t''
pretty\t''
journald\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand status" -l log-level -d 'Least important events to log' -r -f -a "error\t''
warn\t''
info\t''
debug\t''
trace\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand status" -l watch -d 'Look again every 2 s until Ctrl-C; with --json one object a line'
complete -c cdsync -n "__fish_cdsync_using_subcommand status" -l json -d 'Print JSON in place of a table'
complete -c cdsync -n "__fish_cdsync_using_subcommand status" -s h -l help -d 'Print help'
complete -c cdsync -n "__fish_cdsync_using_subcommand trace" -l table -d 'Its table, by its logical name; all tables, if none is named' -r
complete -c cdsync -n "__fish_cdsync_using_subcommand trace" -l config -d 'The configuration file' -r -F
complete -c cdsync -n "__fish_cdsync_using_subcommand trace" -l log-format -d 'Form of the log on stderr; auto takes the journal under systemd, pretty on a terminal, json otherwise' -r -f -a "auto\t''
json\t''
pretty\t''
journald\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand trace" -l log-level -d 'Least important events to log' -r -f -a "error\t''
warn\t''
info\t''
debug\t''
trace\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand trace" -l json -d 'Print JSON in place of a table'
complete -c cdsync -n "__fish_cdsync_using_subcommand trace" -s h -l help -d 'Print help'
complete -c cdsync -n "__fish_cdsync_using_subcommand dead-letters; and not __fish_seen_subcommand_from list show retry discard help" -l config -d 'The configuration file' -r -F
complete -c cdsync -n "__fish_cdsync_using_subcommand dead-letters; and not __fish_seen_subcommand_from list show retry discard help" -l log-format -d 'Form of the log on stderr; auto takes the journal under systemd, pretty on a terminal, json otherwise' -r -f -a "auto\t''
json\t''
pretty\t''
journald\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand dead-letters; and not __fish_seen_subcommand_from list show retry discard help" -l log-level -d 'Least important events to log' -r -f -a "error\t''
warn\t''
info\t''
debug\t''
trace\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand dead-letters; and not __fish_seen_subcommand_from list show retry discard help" -s h -l help -d 'Print help'
complete -c cdsync -n "__fish_cdsync_using_subcommand dead-letters; and not __fish_seen_subcommand_from list show retry discard help" -f -a "list" -d 'List all of them'
complete -c cdsync -n "__fish_cdsync_using_subcommand dead-letters; and not __fish_seen_subcommand_from list show retry discard help" -f -a "show" -d 'Show one in full'
complete -c cdsync -n "__fish_cdsync_using_subcommand dead-letters; and not __fish_seen_subcommand_from list show retry discard help" -f -a "retry" -d 'Put them back to work, at the next pass'
complete -c cdsync -n "__fish_cdsync_using_subcommand dead-letters; and not __fish_seen_subcommand_from list show retry discard help" -f -a "discard" -d 'Remove one for good; the record stays as it is in Campaign'
complete -c cdsync -n "__fish_cdsync_using_subcommand dead-letters; and not __fish_seen_subcommand_from list show retry discard help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c cdsync -n "__fish_cdsync_using_subcommand dead-letters; and __fish_seen_subcommand_from list" -l config -d 'The configuration file' -r -F
complete -c cdsync -n "__fish_cdsync_using_subcommand dead-letters; and __fish_seen_subcommand_from list" -l log-format -d 'Form of the log on stderr; auto takes the journal under systemd, pretty on a terminal, json otherwise' -r -f -a "auto\t''
json\t''
pretty\t''
journald\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand dead-letters; and __fish_seen_subcommand_from list" -l log-level -d 'Least important events to log' -r -f -a "error\t''
warn\t''
info\t''
debug\t''
trace\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand dead-letters; and __fish_seen_subcommand_from list" -l json -d 'Print JSON in place of a table'
complete -c cdsync -n "__fish_cdsync_using_subcommand dead-letters; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c cdsync -n "__fish_cdsync_using_subcommand dead-letters; and __fish_seen_subcommand_from show" -l config -d 'The configuration file' -r -F
complete -c cdsync -n "__fish_cdsync_using_subcommand dead-letters; and __fish_seen_subcommand_from show" -l log-format -d 'Form of the log on stderr; auto takes the journal under systemd, pretty on a terminal, json otherwise' -r -f -a "auto\t''
json\t''
pretty\t''
journald\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand dead-letters; and __fish_seen_subcommand_from show" -l log-level -d 'Least important events to log' -r -f -a "error\t''
warn\t''
info\t''
debug\t''
trace\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand dead-letters; and __fish_seen_subcommand_from show" -l json -d 'Print JSON in place of a table'
complete -c cdsync -n "__fish_cdsync_using_subcommand dead-letters; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c cdsync -n "__fish_cdsync_using_subcommand dead-letters; and __fish_seen_subcommand_from retry" -l config -d 'The configuration file' -r -F
complete -c cdsync -n "__fish_cdsync_using_subcommand dead-letters; and __fish_seen_subcommand_from retry" -l log-format -d 'Form of the log on stderr; auto takes the journal under systemd, pretty on a terminal, json otherwise' -r -f -a "auto\t''
json\t''
pretty\t''
journald\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand dead-letters; and __fish_seen_subcommand_from retry" -l log-level -d 'Least important events to log' -r -f -a "error\t''
warn\t''
info\t''
debug\t''
trace\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand dead-letters; and __fish_seen_subcommand_from retry" -s h -l help -d 'Print help'
complete -c cdsync -n "__fish_cdsync_using_subcommand dead-letters; and __fish_seen_subcommand_from discard" -l config -d 'The configuration file' -r -F
complete -c cdsync -n "__fish_cdsync_using_subcommand dead-letters; and __fish_seen_subcommand_from discard" -l log-format -d 'Form of the log on stderr; auto takes the journal under systemd, pretty on a terminal, json otherwise' -r -f -a "auto\t''
json\t''
pretty\t''
journald\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand dead-letters; and __fish_seen_subcommand_from discard" -l log-level -d 'Least important events to log' -r -f -a "error\t''
warn\t''
info\t''
debug\t''
trace\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand dead-letters; and __fish_seen_subcommand_from discard" -s h -l help -d 'Print help'
complete -c cdsync -n "__fish_cdsync_using_subcommand dead-letters; and __fish_seen_subcommand_from help" -f -a "list" -d 'List all of them'
complete -c cdsync -n "__fish_cdsync_using_subcommand dead-letters; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show one in full'
complete -c cdsync -n "__fish_cdsync_using_subcommand dead-letters; and __fish_seen_subcommand_from help" -f -a "retry" -d 'Put them back to work, at the next pass'
complete -c cdsync -n "__fish_cdsync_using_subcommand dead-letters; and __fish_seen_subcommand_from help" -f -a "discard" -d 'Remove one for good; the record stays as it is in Campaign'
complete -c cdsync -n "__fish_cdsync_using_subcommand dead-letters; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c cdsync -n "__fish_cdsync_using_subcommand approve-deletes" -l config -d 'The configuration file' -r -F
complete -c cdsync -n "__fish_cdsync_using_subcommand approve-deletes" -l log-format -d 'Form of the log on stderr; auto takes the journal under systemd, pretty on a terminal, json otherwise' -r -f -a "auto\t''
json\t''
pretty\t''
journald\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand approve-deletes" -l log-level -d 'Least important events to log' -r -f -a "error\t''
warn\t''
info\t''
debug\t''
trace\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand approve-deletes" -s h -l help -d 'Print help'
complete -c cdsync -n "__fish_cdsync_using_subcommand discard-table" -l config -d 'The configuration file' -r -F
complete -c cdsync -n "__fish_cdsync_using_subcommand discard-table" -l log-format -d 'Form of the log on stderr; auto takes the journal under systemd, pretty on a terminal, json otherwise' -r -f -a "auto\t''
json\t''
pretty\t''
journald\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand discard-table" -l log-level -d 'Least important events to log' -r -f -a "error\t''
warn\t''
info\t''
debug\t''
trace\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand discard-table" -l yes -d 'Discard that for good; Campaign keeps what it holds'
complete -c cdsync -n "__fish_cdsync_using_subcommand discard-table" -l json -d 'Print JSON in place of a table'
complete -c cdsync -n "__fish_cdsync_using_subcommand discard-table" -s h -l help -d 'Print help'
complete -c cdsync -n "__fish_cdsync_using_subcommand optouts; and not __fish_seen_subcommand_from list show export help" -l config -d 'The configuration file' -r -F
complete -c cdsync -n "__fish_cdsync_using_subcommand optouts; and not __fish_seen_subcommand_from list show export help" -l log-format -d 'Form of the log on stderr; auto takes the journal under systemd, pretty on a terminal, json otherwise' -r -f -a "auto\t''
json\t''
pretty\t''
journald\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand optouts; and not __fish_seen_subcommand_from list show export help" -l log-level -d 'Least important events to log' -r -f -a "error\t''
warn\t''
info\t''
debug\t''
trace\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand optouts; and not __fish_seen_subcommand_from list show export help" -s h -l help -d 'Print help'
complete -c cdsync -n "__fish_cdsync_using_subcommand optouts; and not __fish_seen_subcommand_from list show export help" -f -a "list" -d 'List every contact and flag of which anything was ever said'
complete -c cdsync -n "__fish_cdsync_using_subcommand optouts; and not __fish_seen_subcommand_from list show export help" -f -a "show" -d 'Tell all that is known of a contact: each flag, and each decision with its evidence, newest first'
complete -c cdsync -n "__fish_cdsync_using_subcommand optouts; and not __fish_seen_subcommand_from list show export help" -f -a "export" -d 'Write the whole ledger, each flag with its last decision'
complete -c cdsync -n "__fish_cdsync_using_subcommand optouts; and not __fish_seen_subcommand_from list show export help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c cdsync -n "__fish_cdsync_using_subcommand optouts; and __fish_seen_subcommand_from list" -l state -d 'Only flags in this state' -r -f -a "settled\t''
due\t''
clearing\t''
held\t''
approved\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand optouts; and __fish_seen_subcommand_from list" -l config -d 'The configuration file' -r -F
complete -c cdsync -n "__fish_cdsync_using_subcommand optouts; and __fish_seen_subcommand_from list" -l log-format -d 'Form of the log on stderr; auto takes the journal under systemd, pretty on a terminal, json otherwise' -r -f -a "auto\t''
json\t''
pretty\t''
journald\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand optouts; and __fish_seen_subcommand_from list" -l log-level -d 'Least important events to log' -r -f -a "error\t''
warn\t''
info\t''
debug\t''
trace\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand optouts; and __fish_seen_subcommand_from list" -l same-address -d 'Only flags on which contacts with the same e-mail address differ'
complete -c cdsync -n "__fish_cdsync_using_subcommand optouts; and __fish_seen_subcommand_from list" -l json -d 'Print JSON in place of a table'
complete -c cdsync -n "__fish_cdsync_using_subcommand optouts; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c cdsync -n "__fish_cdsync_using_subcommand optouts; and __fish_seen_subcommand_from show" -l config -d 'The configuration file' -r -F
complete -c cdsync -n "__fish_cdsync_using_subcommand optouts; and __fish_seen_subcommand_from show" -l log-format -d 'Form of the log on stderr; auto takes the journal under systemd, pretty on a terminal, json otherwise' -r -f -a "auto\t''
json\t''
pretty\t''
journald\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand optouts; and __fish_seen_subcommand_from show" -l log-level -d 'Least important events to log' -r -f -a "error\t''
warn\t''
info\t''
debug\t''
trace\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand optouts; and __fish_seen_subcommand_from show" -l json -d 'Print JSON in place of a table'
complete -c cdsync -n "__fish_cdsync_using_subcommand optouts; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c cdsync -n "__fish_cdsync_using_subcommand optouts; and __fish_seen_subcommand_from export" -l format -d 'CSV for spreadsheets, or JSON' -r -f -a "csv\t''
json\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand optouts; and __fish_seen_subcommand_from export" -l output -d 'File to write, which must not exist yet [default: stdout]' -r -F
complete -c cdsync -n "__fish_cdsync_using_subcommand optouts; and __fish_seen_subcommand_from export" -l config -d 'The configuration file' -r -F
complete -c cdsync -n "__fish_cdsync_using_subcommand optouts; and __fish_seen_subcommand_from export" -l log-format -d 'Form of the log on stderr; auto takes the journal under systemd, pretty on a terminal, json otherwise' -r -f -a "auto\t''
json\t''
pretty\t''
journald\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand optouts; and __fish_seen_subcommand_from export" -l log-level -d 'Least important events to log' -r -f -a "error\t''
warn\t''
info\t''
debug\t''
trace\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand optouts; and __fish_seen_subcommand_from export" -s h -l help -d 'Print help'
complete -c cdsync -n "__fish_cdsync_using_subcommand optouts; and __fish_seen_subcommand_from help" -f -a "list" -d 'List every contact and flag of which anything was ever said'
complete -c cdsync -n "__fish_cdsync_using_subcommand optouts; and __fish_seen_subcommand_from help" -f -a "show" -d 'Tell all that is known of a contact: each flag, and each decision with its evidence, newest first'
complete -c cdsync -n "__fish_cdsync_using_subcommand optouts; and __fish_seen_subcommand_from help" -f -a "export" -d 'Write the whole ledger, each flag with its last decision'
complete -c cdsync -n "__fish_cdsync_using_subcommand optouts; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c cdsync -n "__fish_cdsync_using_subcommand approve-optouts" -l config -d 'The configuration file' -r -F
complete -c cdsync -n "__fish_cdsync_using_subcommand approve-optouts" -l log-format -d 'Form of the log on stderr; auto takes the journal under systemd, pretty on a terminal, json otherwise' -r -f -a "auto\t''
json\t''
pretty\t''
journald\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand approve-optouts" -l log-level -d 'Least important events to log' -r -f -a "error\t''
warn\t''
info\t''
debug\t''
trace\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand approve-optouts" -s h -l help -d 'Print help'
complete -c cdsync -n "__fish_cdsync_using_subcommand forget" -l config -d 'The configuration file' -r -F
complete -c cdsync -n "__fish_cdsync_using_subcommand forget" -l log-format -d 'Form of the log on stderr; auto takes the journal under systemd, pretty on a terminal, json otherwise' -r -f -a "auto\t''
json\t''
pretty\t''
journald\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand forget" -l log-level -d 'Least important events to log' -r -f -a "error\t''
warn\t''
info\t''
debug\t''
trace\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand forget" -l yes -d 'Do not ask first; without a terminal nobody is asked'
complete -c cdsync -n "__fish_cdsync_using_subcommand forget" -l json -d 'Print JSON in place of a table'
complete -c cdsync -n "__fish_cdsync_using_subcommand forget" -s h -l help -d 'Print help'
complete -c cdsync -n "__fish_cdsync_using_subcommand manual" -l config -d 'The configuration file' -r -F
complete -c cdsync -n "__fish_cdsync_using_subcommand manual" -l log-format -d 'Form of the log on stderr; auto takes the journal under systemd, pretty on a terminal, json otherwise' -r -f -a "auto\t''
json\t''
pretty\t''
journald\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand manual" -l log-level -d 'Least important events to log' -r -f -a "error\t''
warn\t''
info\t''
debug\t''
trace\t''"
complete -c cdsync -n "__fish_cdsync_using_subcommand manual" -s h -l help -d 'Print help'
complete -c cdsync -n "__fish_cdsync_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox init check tables resources provision run sync plan resync pause resume status trace dead-letters approve-deletes discard-table optouts approve-optouts forget manual help" -f -a "demo" -d 'Try everything without any configuration: runs the flows on the embedded sandbox and compares every record on both sides'
complete -c cdsync -n "__fish_cdsync_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox init check tables resources provision run sync plan resync pause resume status trace dead-letters approve-deletes discard-table optouts approve-optouts forget manual help" -f -a "sandbox" -d 'Run look-alikes of Dynamics and Campaign on this machine'
complete -c cdsync -n "__fish_cdsync_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox init check tables resources provision run sync plan resync pause resume status trace dead-letters approve-deletes discard-table optouts approve-optouts forget manual help" -f -a "init" -d 'Write a commented configuration'
complete -c cdsync -n "__fish_cdsync_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox init check tables resources provision run sync plan resync pause resume status trace dead-letters approve-deletes discard-table optouts approve-optouts forget manual help" -f -a "check" -d 'Look the configuration over, then ask both systems whether it fits'
complete -c cdsync -n "__fish_cdsync_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox init check tables resources provision run sync plan resync pause resume status trace dead-letters approve-deletes discard-table optouts approve-optouts forget manual help" -f -a "tables" -d 'Show the tables of Dynamics, or the columns of one'
complete -c cdsync -n "__fish_cdsync_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox init check tables resources provision run sync plan resync pause resume status trace dead-letters approve-deletes discard-table optouts approve-optouts forget manual help" -f -a "resources" -d 'Show the resources of Campaign, or the fields of one'
complete -c cdsync -n "__fish_cdsync_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox init check tables resources provision run sync plan resync pause resume status trace dead-letters approve-deletes discard-table optouts approve-optouts forget manual help" -f -a "provision" -d 'Set up Dynamics: make the activity tables, turn change tracking on'
complete -c cdsync -n "__fish_cdsync_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox init check tables resources provision run sync plan resync pause resume status trace dead-letters approve-deletes discard-table optouts approve-optouts forget manual help" -f -a "run" -d 'Run the daemon: passes by their schedule, until SIGTERM'
complete -c cdsync -n "__fish_cdsync_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox init check tables resources provision run sync plan resync pause resume status trace dead-letters approve-deletes discard-table optouts approve-optouts forget manual help" -f -a "sync" -d 'Run one pass of the flows until their backlog is empty'
complete -c cdsync -n "__fish_cdsync_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox init check tables resources provision run sync plan resync pause resume status trace dead-letters approve-deletes discard-table optouts approve-optouts forget manual help" -f -a "plan" -d 'Show what a pass would write, and why; writes nothing'
complete -c cdsync -n "__fish_cdsync_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox init check tables resources provision run sync plan resync pause resume status trace dead-letters approve-deletes discard-table optouts approve-optouts forget manual help" -f -a "resync" -d 'Send rows again, or compare both systems and mend what differs'
complete -c cdsync -n "__fish_cdsync_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox init check tables resources provision run sync plan resync pause resume status trace dead-letters approve-deletes discard-table optouts approve-optouts forget manual help" -f -a "pause" -d 'Keep the daemon from running a flow, until it is resumed'
complete -c cdsync -n "__fish_cdsync_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox init check tables resources provision run sync plan resync pause resume status trace dead-letters approve-deletes discard-table optouts approve-optouts forget manual help" -f -a "resume" -d 'Let the daemon run a paused flow again'
complete -c cdsync -n "__fish_cdsync_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox init check tables resources provision run sync plan resync pause resume status trace dead-letters approve-deletes discard-table optouts approve-optouts forget manual help" -f -a "status" -d 'Show flows, tables, systems, backlog and dead letters'
complete -c cdsync -n "__fish_cdsync_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox init check tables resources provision run sync plan resync pause resume status trace dead-letters approve-deletes discard-table optouts approve-optouts forget manual help" -f -a "trace" -d 'Tell one record\'s story: versions read, decisions, requests, waits'
complete -c cdsync -n "__fish_cdsync_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox init check tables resources provision run sync plan resync pause resume status trace dead-letters approve-deletes discard-table optouts approve-optouts forget manual help" -f -a "dead-letters" -d 'Look at records that were given up, retry or discard them'
complete -c cdsync -n "__fish_cdsync_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox init check tables resources provision run sync plan resync pause resume status trace dead-letters approve-deletes discard-table optouts approve-optouts forget manual help" -f -a "approve-deletes" -d 'Release the deletions of a table that the delete guard holds'
complete -c cdsync -n "__fish_cdsync_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox init check tables resources provision run sync plan resync pause resume status trace dead-letters approve-deletes discard-table optouts approve-optouts forget manual help" -f -a "discard-table" -d 'Discard what is left of a table that is no longer mapped'
complete -c cdsync -n "__fish_cdsync_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox init check tables resources provision run sync plan resync pause resume status trace dead-letters approve-deletes discard-table optouts approve-optouts forget manual help" -f -a "optouts" -d 'Look into the opt-out ledger, or export it: who is opted out, who said so, why it was decided so'
complete -c cdsync -n "__fish_cdsync_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox init check tables resources provision run sync plan resync pause resume status trace dead-letters approve-deletes discard-table optouts approve-optouts forget manual help" -f -a "approve-optouts" -d 'Release the opt-outs that would be lifted and that the clearing guard holds; they go at the next pass'
complete -c cdsync -n "__fish_cdsync_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox init check tables resources provision run sync plan resync pause resume status trace dead-letters approve-deletes discard-table optouts approve-optouts forget manual help" -f -a "forget" -d 'Erase what the store knows of a person, or of any other record'
complete -c cdsync -n "__fish_cdsync_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox init check tables resources provision run sync plan resync pause resume status trace dead-letters approve-deletes discard-table optouts approve-optouts forget manual help" -f -a "manual" -d 'Write man pages, completions and the example configuration, for packages'
complete -c cdsync -n "__fish_cdsync_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox init check tables resources provision run sync plan resync pause resume status trace dead-letters approve-deletes discard-table optouts approve-optouts forget manual help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c cdsync -n "__fish_cdsync_using_subcommand help; and __fish_seen_subcommand_from dead-letters" -f -a "list" -d 'List all of them'
complete -c cdsync -n "__fish_cdsync_using_subcommand help; and __fish_seen_subcommand_from dead-letters" -f -a "show" -d 'Show one in full'
complete -c cdsync -n "__fish_cdsync_using_subcommand help; and __fish_seen_subcommand_from dead-letters" -f -a "retry" -d 'Put them back to work, at the next pass'
complete -c cdsync -n "__fish_cdsync_using_subcommand help; and __fish_seen_subcommand_from dead-letters" -f -a "discard" -d 'Remove one for good; the record stays as it is in Campaign'
complete -c cdsync -n "__fish_cdsync_using_subcommand help; and __fish_seen_subcommand_from optouts" -f -a "list" -d 'List every contact and flag of which anything was ever said'
complete -c cdsync -n "__fish_cdsync_using_subcommand help; and __fish_seen_subcommand_from optouts" -f -a "show" -d 'Tell all that is known of a contact: each flag, and each decision with its evidence, newest first'
complete -c cdsync -n "__fish_cdsync_using_subcommand help; and __fish_seen_subcommand_from optouts" -f -a "export" -d 'Write the whole ledger, each flag with its last decision'
